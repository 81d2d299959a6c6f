package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/rules"
	"github.com/em-metrics/em-metrics/db/rules/rulestest"
)

// FuzzDo sends any calls, in batches of any size, to a store and to a state
// that holds everything and so needs nothing loaded. Both must answer alike and
// hold the same events and rows in the end: the store loads all that the rules
// need, and writes all that they change. Fuzz it with -fuzzminimizetime 0x,
// because minimizing takes long with a database inside.
func FuzzDo(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for seed := range 40 {
		f.Add(rulestest.Seed(r, seed, 60), r.Uint64())
	}
	f.Fuzz(func(t *testing.T, input []byte, sizes uint64) {
		s := openStore(t, filepath.Join(t.TempDir(), "em-metrics.db"), Options{Now: rulestest.Noon})
		reference := rules.NewState(rulestest.Noon(), 0)
		for _, project := range []string{"a", "b"} {
			var free []int64
			for n := range input {
				free = append(free, int64(n+1))
			}
			reference.LoadNumbers(project, 0, free)
		}
		r := rand.New(rand.NewPCG(sizes, 0))
		for commands := rulestest.Commands(input); len(commands) > 0; {
			var batch []*call
			for range 1 + r.IntN(5) {
				n := min(len(commands), 1+r.IntN(3)*r.IntN(2))
				batch = append(batch, &call{ctx: context.Background(), commands: commands[:n], answered: make(chan struct{})})
				commands = commands[n:]
				if len(commands) == 0 {
					break
				}
			}
			// The writer is idle, so a batch of a chosen size can be committed here.
			s.writer.commit(batch)
			for _, c := range batch {
				outcomes, err := reference.Do(c.commands...)
				if got, want := answers(c.outcomes, c.err), answers(outcomes, err); got != want {
					t.Fatalf("%+v:\n got %s\nwant %s", c.commands, got, want)
				}
			}
		}
		want := reference.Changes()
		var events []string
		for _, e := range want.Events {
			events = append(events, eventText(e))
		}
		expectEvents(t, s, events)
		expectRows(t, s, want)
	})
}

func answers(outcomes []Outcome, err error) string {
	var e *Error
	if err != nil && !errors.As(err, &e) {
		return "unexpected: " + err.Error()
	}
	if err != nil {
		return answer(nil, err)
	}
	texts := make([]string, len(outcomes))
	for i := range outcomes {
		texts[i] = answer(outcomes[i:], nil)
	}
	return strings.Join(texts, "; ")
}

// expectRows compares every stored row, and what each incident repeats of its
// deployment.
func expectRows(t *testing.T, s *Store, want rules.Changes) {
	t.Helper()
	deployedAt := map[Key]time.Time{}
	for _, w := range want.Deployments {
		deployedAt[w.Key] = w.DeployedAt
		got, err := s.Deployment(t.Context(), refOf(w.Key))
		if err != nil {
			t.Fatal(err)
		}
		got.Row = 0
		if *got != *w {
			t.Errorf("deployment:\n got %+v\nwant %+v", got, w)
		}
	}
	for _, w := range want.Incidents {
		got, err := s.Incident(t.Context(), refOf(w.Key))
		if err != nil {
			t.Fatal(err)
		}
		row := got.Row
		got.Row = 0
		if *got != *w {
			t.Errorf("incident:\n got %+v\nwant %+v", got, w)
		}
		var repeated *int64
		if err := s.readers.lists.pool.QueryRowContext(t.Context(), "SELECT deployment_deployed_at FROM incidents WHERE row = ?", row).Scan(&repeated); err != nil {
			t.Fatal(err)
		}
		at := deployedAt[Key{Project: w.Project, Environment: w.Environment, ID: w.DeploymentID}]
		if (repeated == nil) != at.IsZero() || repeated != nil && *repeated != at.UnixMilli() {
			t.Errorf("incident %s: its deployment was deployed at %v, and it repeats %v", w.ID, at, repeated)
		}
	}
	var miscounted int
	if err := s.readers.lists.pool.QueryRowContext(t.Context(), `SELECT count(*) FROM incident_counts c
		WHERE incidents <> (SELECT count(*) FROM incidents i WHERE i.project_id = c.project_id)`).Scan(&miscounted); err != nil || miscounted > 0 {
		t.Errorf("the incidents of %d projects are miscounted (%v)", miscounted, err)
	}
	expectCommits(t, s, want.Commits)
	for table, n := range map[string]int{"deployments": len(want.Deployments), "incidents": len(want.Incidents)} {
		var got int
		if err := s.readers.lists.pool.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&got); err != nil || got != n {
			t.Errorf("%d %s stored, want %d (%v)", got, table, n, err)
		}
	}
}

// expectCommits compares the commits that are stored.
func expectCommits(t *testing.T, s *Store, want []*rules.CommitList) {
	t.Helper()
	stored, err := query(t.Context(), s.readers.lists, scanText, `SELECT d.project_id || '/' || d.environment || '/' || d.id || ' ' ||
		replace(c.names || ' ' || c.dates, char(10), ' ') FROM deployment_commits c JOIN deployments d ON d.row = c.deployment ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, l := range want {
		text, dates := l.Project+"/"+l.Environment+"/"+l.ID, ""
		for _, c := range l.Commits {
			text, dates = text+" "+c.Name, dates+fmt.Sprint(" ", c.At.UnixMilli())
		}
		if dates != "" {
			texts = append(texts, text+dates)
		}
	}
	slices.Sort(texts)
	if !slices.Equal(stored, texts) {
		t.Errorf("commits:\n got %s\nwant %s", strings.Join(stored, "\n     "), strings.Join(texts, "\n     "))
	}
}

func refOf(k Key) Ref { return Ref{ID: k.ID, Project: k.Project, Environment: k.Environment} }
