package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/rules"
)

func at(hour int) time.Time { return time.Date(2026, 3, 4, hour, 0, 0, 0, time.UTC) }

func deployed(row int64, id, environment string, hour int) *rules.Deployment {
	return &rules.Deployment{
		Key: rules.Key{Project: "shop", Environment: environment, ID: id}, DeployedAt: at(hour), FirstCommitAt: at(1), Row: row,
	}
}

func TestDeployedBefore(t *testing.T) {
	s := rules.NewState(at(12), 0)
	for _, d := range []*rules.Deployment{
		deployed(1, "first", "production", 8), deployed(3, "same time, recorded later", "production", 9),
		deployed(2, "second", "production", 9), deployed(4, "elsewhere", "staging", 10),
	} {
		s.LoadDeployment(d)
	}
	expect := func(hour int, want string) {
		t.Helper()
		got := "none"
		if d := s.DeployedBefore(rules.Before{Project: "shop", Environment: "production", Time: at(hour)}); d != nil {
			got = d.ID
		}
		if got != want {
			t.Errorf("before %d:00: got %q, want %q", hour, got, want)
		}
	}
	expect(8, "none")
	expect(9, "first")
	expect(10, "same time, recorded later")

	// It includes what earlier commands of the batch deployed, and not what was
	// taken back.
	third := rules.FinishDeployment{Ref: rules.Ref{ID: "third"}, DeployedAt: at(11), Create: &rules.StartDeployment{
		Key: rules.Key{Project: "shop", Environment: "production", ID: "third"}, FirstCommitAt: at(1),
	}}
	if _, err := s.Do(third, rules.RestoreIncident{Ref: rules.Ref{ID: "absent"}}); !rules.HasCode(err, rules.NotFound) {
		t.Fatal(err)
	}
	expect(12, "same time, recorded later")
	if c := s.Changes(); len(c.Deployments)+len(c.Incidents)+len(c.Events) != 0 {
		t.Errorf("a refused call left changes: %+v", c)
	}
	if _, err := s.Do(third); err != nil {
		t.Fatal(err)
	}
	expect(12, "third")
}

func TestChangesHoldEachRowOnceAsItIsInTheEnd(t *testing.T) {
	s := rules.NewState(at(12), 0)
	s.LoadDeployment(&rules.Deployment{Key: rules.Key{Project: "shop", Environment: "production", ID: "1"}, FirstCommitAt: at(1), Row: 7})
	_, err := s.Do(
		rules.OpenIncident{Key: rules.Key{Project: "shop", Environment: "production", ID: "a"}, DeploymentID: "1"},
		rules.FinishDeployment{Ref: rules.Ref{ID: "1"}},
		rules.FinishIncident{Ref: rules.Ref{ID: "a"}},
		rules.FinishIncident{Ref: rules.Ref{ID: "a"}}, // changes nothing
	)
	if err != nil {
		t.Fatal(err)
	}
	c := s.Changes()
	if len(c.Deployments) != 1 || c.Deployments[0].Row != 7 || !c.Deployments[0].Failed || c.Deployments[0].DeployedAt.IsZero() {
		t.Errorf("deployments: %+v", c.Deployments)
	}
	if len(c.Incidents) != 1 || c.Incidents[0].Row != 0 || c.Incidents[0].FinishedAt.IsZero() {
		t.Errorf("incidents: %+v", c.Incidents)
	}
	if len(c.Events) != 5 {
		t.Errorf("events: %+v", c.Events)
	}
}

func TestPanicIsTheErrorOfItsCall(t *testing.T) {
	s := rules.NewState(at(12), 0)
	command := rules.StartDeployment{Key: rules.Key{Project: "shop", Environment: "production", ID: "1"}, FirstCommitAt: at(1)}
	boom := command
	boom.ID, boom.Team = "2", func(string) string { panic("boom") }
	if _, err := s.Do(command, boom); err == nil || !strings.HasPrefix(err.Error(), "panic: boom\n") {
		t.Error(err)
	}
	if c := s.Changes(); len(c.Deployments)+len(c.Events) != 0 {
		t.Errorf("it left changes: %+v", c)
	}
}

func TestNamesAreChecked(t *testing.T) {
	good := rules.Key{Project: "shop", Environment: "production", ID: "1"}
	for _, test := range []struct {
		bad, want string
	}{
		{" ", "must not be empty"},
		{strings.Repeat("x", 257), "is 257 bytes long; at most 256 are allowed"},
		{"a\x00b", "must not contain control characters"},
		{"a\nb", "must not contain control characters"},
		{"\xff", "is not valid UTF-8"},
	} {
		for field, command := range map[string]rules.Command{
			"id":              rules.StartDeployment{Key: rules.Key{Project: "shop", Environment: "production", ID: test.bad}},
			"project_id":      rules.FinishDeployment{Ref: rules.Ref{ID: "1", Project: test.bad}},
			"environment":     rules.FinishDeployment{Ref: rules.Ref{ID: "1"}, Create: &rules.StartDeployment{Key: rules.Key{Environment: test.bad}}},
			"deployment_id":   rules.OpenIncident{Key: good, DeploymentID: test.bad},
			"idempotency_key": rules.OpenIncident{Key: good, IdempotencyKey: test.bad},
		} {
			want := fmt.Sprintf("a name is not well formed; %s %s", field, test.want)
			if err := rules.Check(command); !rules.HasCode(err, rules.Malformed) || err.Error() != want {
				t.Errorf("%q: got %v, want %s", test.bad, err, want)
			}
		}
	}
	for _, name := range []string{"1", strings.Repeat("x", 256), "a b", "ä/ü%\u202e"} {
		if err := rules.Check(rules.StartDeployment{Key: rules.Key{Project: name, Environment: name, ID: name}}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
