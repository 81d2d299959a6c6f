package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dbtest"
	"github.com/em-metrics/em-metrics/db/rules"
)

// A story is told in steps: at a time of one day something is asked of the
// store, and the answer is compared as text. At its end the stored events are
// compared, and every command that was carried out is sent once more, which
// must change nothing.
type story struct {
	name   string
	steps  []step
	events []string
	// once says that to send the commands again means something new.
	once bool
}

type step struct {
	now  string // a time of the day, as of clock
	do   Command
	want string // what answer returns
}

func tell(t *testing.T, stories []story) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			s, now := newStore(t)
			var carriedOut []Command
			for i, step := range story.steps {
				now.Set(clock(step.now))
				outcomes, err := s.Do(t.Context(), step.do)
				if got := answer(outcomes, err); got != step.want {
					t.Errorf("step %d, %T at %s:\n got %s\nwant %s", i+1, step.do, step.now, got, step.want)
				}
				if err == nil {
					carriedOut = append(carriedOut, step.do)
				}
			}
			expectEvents(t, s, story.events)
			if story.once {
				return
			}
			for _, command := range carriedOut {
				if outcomes, err := s.Do(t.Context(), command); err != nil || outcomes[0].Created {
					t.Errorf("%T sent again: %s", command, answer(outcomes, err))
				}
			}
			expectEvents(t, s, story.events)
		})
	}
}

// newStore opens a store on a new file, before any story of the day begins, and
// sets the clock to noon.
func newStore(t testing.TB) (*Store, *dbtest.Clock) {
	t.Helper()
	now := dbtest.NewClock(dbtest.At("00:00"))
	s := openStore(t, filepath.Join(t.TempDir(), "em-metrics.db"), Options{Now: now.Now})
	now.Set(dbtest.At("12:00"))
	return s, now
}

func openStore(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// clock turns a time of the stories' day into a date: "10:00" or
// "10:00:00.5". Empty is the zero time.
func clock(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	return dbtest.At(s)
}

// key reads "project/environment/id".
func key(s string) Key {
	parts := strings.Split(s, "/")
	return Key{Project: parts[0], Environment: parts[1], ID: parts[2]}
}

// team is a TeamFunc that knows one answer.
func team(name string) TeamFunc { return func(string) string { return name } }

// answer writes what a Do of one command returned.
func answer(outcomes []Outcome, err error) string {
	var e *Error
	switch {
	case errors.As(err, &e):
		return codeName(e.Code) + ": " + e.Error()
	case err != nil:
		return "unexpected: " + err.Error()
	}
	o := outcomes[0]
	text := "known "
	if o.Created {
		text = "created "
	}
	if o.Superseded {
		text = "superseded "
	}
	if o.Deployment != nil {
		return text + deploymentText(o.Deployment)
	}
	return text + incidentText(o.Incident)
}

func codeName(c Code) string {
	return [...]string{"", "missing", "malformed", "invalid", "not found", "conflict", "ambiguous", "unavailable"}[c]
}

func keyText(k Key, team string) string {
	return fmt.Sprintf("%s/%s/%s%s", k.Project, k.Environment, k.ID, labelled(" of ", team))
}

func deploymentText(d *Deployment) string {
	text := keyText(d.Key, d.Team) + labelled(" commit ", clockText(d.FirstCommitAt)) +
		labelled(" start ", clockText(d.DeployStartAt)) + labelled(" deployed ", clockText(d.DeployedAt)) +
		labelled(" aborted ", clockText(d.AbortedAt))
	if d.Rework {
		text += " rework"
	}
	text += labelled(" revision ", d.Commit) + labelled(" no lead time: ", string(d.NoLeadTime))
	if d.FailedBecause != rules.LinkedIncident { // which the stories tell
		text += labelled(" failed by ", string(d.FailedBecause))
	}
	return text + labelled(" rolled back by ", d.RolledBackBy)
}

func incidentText(i *Incident) string {
	return keyText(i.Key, i.Team) + labelled(" by ", i.DeploymentID) + " started " + clockText(i.StartedAt) +
		labelled(" restored ", clockText(i.RestoredAt)) + labelled(" finished ", clockText(i.FinishedAt))
}

func eventText(e Event) string {
	text := string(e.Kind) + " " + keyText(Key{Project: e.Project, Environment: e.Environment, ID: e.Subject}, e.Team) + " at " + clockText(e.OccurredAt)
	for _, d := range []struct {
		name string
		took NullDuration
	}{
		{"lead", e.LeadTime}, {"took", e.DeploymentDuration}, {"detected", e.TimeToDetect}, {"restored", e.TimeToRestore},
	} {
		if d.took.Valid {
			text += " " + d.name + " " + d.took.V.String()
		}
	}
	return text
}

func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return label + text
}

func clockText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strings.TrimSuffix(t.Format("15:04:05.999"), ":00")
}

func expectEvents(t *testing.T, s *Store, want []string) {
	t.Helper()
	var got []string
	for _, e := range events(t, s) {
		got = append(got, eventText(e))
	}
	if !slices.Equal(got, want) {
		t.Errorf("events:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// events reads all events and checks that their numbers grow.
func events(t testing.TB, s *Store) []Event {
	t.Helper()
	var all []Event
	for e, err := range s.EventsAfter(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if len(all) > 0 && e.Seq <= all[len(all)-1].Seq {
			t.Fatalf("event %d follows event %d", e.Seq, all[len(all)-1].Seq)
		}
		all = append(all, e)
	}
	return all
}
