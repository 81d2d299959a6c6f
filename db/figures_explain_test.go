package db_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// TestExplainAddsUpToTheFigures compares the evidence of every metric with the
// figure it stands for, over random histories and page by page.
func TestExplainAddsUpToTheFigures(t *testing.T) {
	s := openAt(t, at(doraNow))
	wipe := wiper(t, s.Path())
	random := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		h := randomHistory(random)
		h.store(t, s)
		q := randomQuery(random, h)
		q.GroupBy, q.Interval = dora.GroupBy{}, dora.NoInterval
		groups, err := s.Dora(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range dora.Figures() {
			evidence := explainAll(t, s, f.Name, q)
			checkEvidence(t, f.Name, groups[0].Totals, evidence)
			checkLinked(t, f.Name, h, evidence)
		}
		wipe()
	}
	if _, _, err := s.Explain(context.Background(), "luck", dora.Query{}, db.Page{Limit: 1}); err == nil {
		t.Error("an unknown metric was explained")
	}
}

func explainAll(t *testing.T, s *db.Store, m dora.Name, q dora.Query) (all []db.Evidence) {
	t.Helper()
	page := db.Page{Limit: 3}
	for {
		evidence, next, err := s.Explain(context.Background(), m, q, page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, evidence...)
		if next == nil {
			return all
		}
		page.After = next
	}
}

func checkEvidence(t *testing.T, m dora.Name, totals dora.Totals, evidence []db.Evidence) {
	t.Helper()
	counted, values := 0, []time.Duration(nil)
	for _, e := range evidence {
		if e.Counted {
			counted++
		}
		if e.Value.Valid {
			values = append(values, e.Value.V)
		}
		for _, c := range e.Commits { // each has a sample
			values = append(values, between(c.At, e.Deployment.DeployedAt))
		}
	}
	f, _ := dora.Find(m)
	switch v := f.Value(totals); {
	case f.Kind == dora.Duration:
		if bruteDistribution(values) != v.Distribution || m != dora.CommitLeadTime && len(values) != len(evidence) {
			t.Fatalf("%s: evidence has %+v, figures %+v", m, bruteDistribution(values), v.Distribution)
		}
	case f.Kind == dora.Ratio:
		if int64(len(evidence)) != v.Whole || int64(counted) != v.Count {
			t.Fatalf("%s: %d explained, %d counted, want %+v", m, len(evidence), counted, v)
		}
	case int64(len(evidence)) != v.Count || int64(counted) != v.Count:
		t.Fatalf("%s: %d explained, %d counted, want %+v", m, len(evidence), counted, v)
	}
}

// checkLinked compares the incidents of failed deployments with the history.
func checkLinked(t *testing.T, m dora.Name, h history, evidence []db.Evidence) {
	t.Helper()
	for _, e := range evidence {
		var want []string
		if m == dora.ChangeFailureRate || m == dora.FailedDeploymentRecoveryTime {
			var linked []pastIncident
			for _, i := range h.incidents {
				if i.deployment == e.Deployment.ID && i.project == e.Deployment.Project && i.environment == e.Deployment.Environment {
					linked = append(linked, i)
				}
			}
			slices.SortStableFunc(linked, func(a, b pastIncident) int { return a.started.Compare(b.started) })
			for _, i := range linked {
				want = append(want, i.id)
			}
		}
		if !slices.Equal(e.Incidents, want) {
			t.Fatalf("%s: incidents %q, want %q", m, e.Incidents, want)
		}
	}
}
