package db_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
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
		q.GroupBy, q.Interval = db.GroupBy{}, db.NoInterval
		groups, err := s.Dora(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range db.Metrics() {
			checkEvidence(t, metric, groups[0].Dora, explainAll(t, s, metric, q))
		}
		wipe()
	}
	if _, _, err := s.Explain(context.Background(), "luck", db.DoraQuery{}, db.Page{Limit: 1}); err == nil {
		t.Error("an unknown metric was explained")
	}
}

func explainAll(t *testing.T, s *db.Store, m db.Metric, q db.DoraQuery) (all []db.Evidence) {
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

func checkEvidence(t *testing.T, m db.Metric, figures db.Dora, evidence []db.Evidence) {
	t.Helper()
	counted, values := 0, []time.Duration(nil)
	for _, e := range evidence {
		if e.Counted {
			counted++
		}
		if e.Value.Valid {
			values = append(values, e.Value.V)
		}
	}
	counts := map[db.Metric][2]int64{ // evidence, counted
		db.DeploymentFrequency:   {figures.Deployments, figures.Deployments},
		db.ChangeFailureRate:     {figures.Deployments, figures.FailedDeployments},
		db.DeploymentReworkRate:  {figures.Deployments, figures.ReworkDeployments},
		db.UnfinishedDeployments: {figures.Unfinished, figures.Unfinished},
		db.Incidents:             {figures.Incidents, figures.Incidents},
		db.OpenIncidents:         {figures.OpenIncidents, figures.OpenIncidents},
	}
	durations := map[db.Metric]db.Distribution{
		db.ChangeLeadTime: figures.LeadTime, db.DeploymentDuration: figures.DeploymentDuration,
		db.FailedDeploymentRecoveryTime: figures.FailedDeploymentRecovery,
		db.TimeToRestore:                figures.TimeToRestore, db.TimeToDetect: figures.TimeToDetect,
	}
	if want, ok := counts[m]; ok && (int64(len(evidence)) != want[0] || int64(counted) != want[1]) {
		t.Fatalf("%s: %d explained, %d counted, want %v", m, len(evidence), counted, want)
	}
	if want, ok := durations[m]; ok && bruteDistribution(values) != want {
		t.Fatalf("%s: evidence has %+v, figures %+v", m, bruteDistribution(values), want)
	}
	if len(counts)+len(durations) != len(db.Metrics()) || !slices.Contains(db.Metrics(), m) {
		t.Fatalf("%s is not checked", m)
	}
}
