package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// somePast is one of few times, so that many things happen at the same one.
func somePast(r *rand.Rand) time.Time {
	return clock("06:00").Add(time.Duration(r.IntN(40)) * time.Minute)
}

func oneOf(r *rand.Rand, names ...string) string { return names[r.IntN(len(names))] }

// readAll reads a list page by page, by the cursor and by the offset, which
// must agree.
func readAll[T any](t *testing.T, limit int, list func(Page) ([]T, *Cursor, error), text func(T) string) (all []string) {
	t.Helper()
	page := Page{Limit: limit}
	for {
		byCursor, next, err := list(page)
		if err != nil {
			t.Fatal(err)
		}
		byOffset, nextByOffset, err := list(Page{Limit: limit, Offset: len(all)})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(byCursor, byOffset, func(a, b T) bool { return text(a) == text(b) }) || (next == nil) != (nextByOffset == nil) {
			t.Fatalf("after %d rows the cursor leads to %d rows and the offset to %d others", len(all), len(byCursor), len(byOffset))
		}
		for _, one := range byCursor {
			all = append(all, text(one))
		}
		if next == nil {
			return all
		}
		if len(byCursor) != limit {
			t.Fatalf("a page of %d rows has a next one, the limit is %d", len(byCursor), limit)
		}
		page.After = next
	}
}

// expectList compares what was listed with what was stored, newest first and
// of the same time the latest stored first.
func expectList[T any](t *testing.T, got []string, stored []T, wanted func(T) bool, began func(T) time.Time, text func(T) string) {
	t.Helper()
	var want []T
	for _, one := range stored {
		if wanted(one) {
			want = append(want, one)
		}
	}
	slices.Reverse(want)
	slices.SortStableFunc(want, func(a, b T) int { return began(b).Compare(began(a)) })
	var texts []string
	for _, one := range want {
		texts = append(texts, text(one))
	}
	if !slices.Equal(got, texts) {
		t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(texts, "\n     "))
	}
}

func TestListsOfDeployments(t *testing.T) {
	s, _ := newStore(t)
	r := rand.New(rand.NewPCG(1, 2))
	var stored []*Deployment
	for n := range 300 {
		k := Key{Project: oneOf(r, "web", "api"), Environment: oneOf(r, "prod", "staging"), ID: fmt.Sprint(n)}
		begin := StartDeployment{Key: k, FirstCommitAt: clock("05:00"), DeployStartAt: somePast(r), Team: team(oneOf(r, "", "blue", "red"))}
		var command Command = begin
		if r.IntN(3) == 0 { // heard of only when deployed
			begin.DeployStartAt = time.Time{}
			command = FinishDeployment{Ref: Ref{ID: k.ID}, DeployedAt: somePast(r), Create: &begin}
		}
		outcomes, err := s.Do(t.Context(), command)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, outcomes[0].Deployment)
	}
	for _, filter := range []DeploymentFilter{
		{}, {Project: "web"}, {Team: "blue"}, {Environment: "staging"}, {Project: "api", Team: "red", Environment: "prod"}, {Project: "none"},
	} {
		for _, limit := range []int{1, 7, 50, 300, 500} {
			got := readAll(t, limit, func(p Page) ([]*Deployment, *Cursor, error) {
				filter.Page = p
				return s.Deployments(t.Context(), filter)
			}, deploymentText)
			expectList(t, got, stored, func(d *Deployment) bool {
				return (filter.Project == "" || filter.Project == d.Project) && (filter.Team == "" || filter.Team == d.Team) &&
					(filter.Environment == "" || filter.Environment == d.Environment)
			}, (*Deployment).BeganAt, deploymentText)
		}
	}
}

func TestListsOfIncidents(t *testing.T) {
	s, _ := newStore(t)
	r := rand.New(rand.NewPCG(3, 4))
	var stored []*Incident
	open := int64(0)
	for n := range 300 {
		command := OpenIncident{
			Key: Key{Project: oneOf(r, "web", "api"), Environment: oneOf(r, "prod", "staging"), ID: fmt.Sprint(n)}, StartedAt: somePast(r), Team: team(oneOf(r, "", "blue", "red")),
		}
		switch r.IntN(3) {
		case 0:
			command.RestoredAt = clock("11:00")
		case 1:
			command.FinishedAt = clock("11:30")
		default:
			open++
		}
		outcomes, err := s.Do(t.Context(), command)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, outcomes[0].Incident)
	}
	for _, filter := range []IncidentFilter{
		{}, {State: InProgress}, {State: Unfinished}, {Project: "web", State: Unfinished}, {Team: "blue", Environment: "staging"}, {Team: "none"},
	} {
		for _, limit := range []int{1, 7, 50, 300} {
			got := readAll(t, limit, func(p Page) ([]*Incident, *Cursor, error) {
				filter.Page = p
				return s.Incidents(t.Context(), filter)
			}, incidentText)
			expectList(t, got, stored, func(i *Incident) bool {
				return (filter.Project == "" || filter.Project == i.Project) && (filter.Team == "" || filter.Team == i.Team) &&
					(filter.Environment == "" || filter.Environment == i.Environment) &&
					(filter.State != InProgress || i.RestoredAt.IsZero()) && (filter.State != Unfinished || i.FinishedAt.IsZero())
			}, func(i *Incident) time.Time { return i.StartedAt }, incidentText)
		}
	}
	if got, err := s.OpenIncidents(t.Context()); err != nil || got != open {
		t.Errorf("%d open incidents, %v; want %d", got, err, open)
	}
}

func TestReadOne(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", ""), start("api/prod/1", "08:00", ""), incident("web/prod/1", "1", ""),
		incident("web/staging/1", "", "")); err != nil {
		t.Fatal(err)
	}
	d, err := s.Deployment(t.Context(), Ref{ID: "1", Project: "web"})
	if err != nil || deploymentText(d) != "web/prod/1 commit 08:00 start 12:00" {
		t.Error(d, err)
	}
	i, err := s.Incident(t.Context(), Ref{ID: "1", Environment: "prod"})
	if err != nil || incidentText(i) != "web/prod/1 by 1 started 12:00" {
		t.Error(i, err)
	}
	for _, test := range []struct {
		ref                  Ref
		deployment, incident Code
	}{
		{Ref{ID: "1"}, Ambiguous, Ambiguous},
		{Ref{ID: "2"}, NotFound, NotFound},
		{Ref{ID: "1", Project: "api"}, 0, NotFound},
	} {
		if _, err := s.Deployment(t.Context(), test.ref); test.deployment != 0 && !HasCode(err, test.deployment) {
			t.Errorf("%+v: %v", test.ref, err)
		}
		if _, err := s.Incident(t.Context(), test.ref); !HasCode(err, test.incident) {
			t.Errorf("%+v: %v", test.ref, err)
		}
	}
}

func TestEventsAfter(t *testing.T) {
	s, _ := newStore(t)
	var commands []Command
	for n := range 500 {
		commands = append(commands, start(fmt.Sprintf("web/prod/%d", n), "08:00", ""))
	}
	if _, err := s.Do(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
	all := events(t, s)
	last, err := s.LastEvent(t.Context())
	if err != nil || last != all[499].Seq {
		t.Errorf("last event %d, %v", last, err)
	}
	// A stream that is left early gives its connection back: there are only two.
	for from := range 20 {
		n := 0
		for e, err := range s.EventsAfter(t.Context(), all[from].Seq) {
			if err != nil || e != all[from+1+n] {
				t.Fatalf("after %d: %+v, %v", from, e, err)
			}
			if n++; n == 3 {
				break
			}
		}
	}
	for e, err := range s.EventsAfter(t.Context(), last) {
		t.Error("after the last:", e, err)
	}

	ended, end := context.WithCancel(t.Context())
	end()
	n := 0
	for e, err := range s.EventsAfter(ended, 0) {
		if n++; e != (Event{}) || !errors.Is(err, context.Canceled) {
			t.Errorf("after the context ended: %+v, %v", e, err)
		}
	}
	if n != 1 {
		t.Errorf("%d errors of one stream", n)
	}
}

// A reader that goes on from the last event it saw sees each one once, however
// many are written meanwhile and in whatever batches.
func TestFollowingEventsUnderWriting(t *testing.T) {
	s, _ := newStore(t)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				k := fmt.Sprintf("web/prod/%d-%d", w, n)
				if _, err := s.Do(t.Context(), start(k, "08:00", ""), finish(refTo(k), "")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	seen := map[string]int{}
	for last, n := int64(0), 0; n < 2*writers*each && !t.Failed(); {
		for e, err := range s.EventsAfter(t.Context(), last) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Seq <= last {
				t.Fatalf("event %d after event %d", e.Seq, last)
			}
			last = e.Seq
			seen[string(e.Kind)+e.Subject]++
			n++
		}
	}
	wg.Wait()
	for subject, times := range seen {
		if times != 1 {
			t.Errorf("%s was seen %d times", subject, times)
		}
	}
	if len(seen) != 2*writers*each {
		t.Errorf("%d different events", len(seen))
	}
}
