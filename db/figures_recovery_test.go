package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// TestRecoveryHasOneSampleForEachFailedDeployment has deployments that were
// deployed ten hours ago, with their incidents in hours after that.
func TestRecoveryHasOneSampleForEachFailedDeployment(t *testing.T) {
	const never = 1000
	type lasting struct{ from, to int }
	for name, test := range map[string]struct {
		notDeployed   bool
		incidents     []lasting
		window        lasting // in hours after the deployment
		incident, own []time.Duration
	}{
		"one incident": {
			incidents: []lasting{{1, 3}}, incident: hours(2), own: hours(3),
		},
		"several: from the start of the first to the restoration of the last": {
			incidents: []lasting{{2, 3}, {1, 2}, {2, 6}, {4, 5}}, incident: hours(5), own: hours(6),
		},
		"none while one is open": {incidents: []lasting{{1, 2}, {2, never}}},
		"two restored at the same moment are one sample": {
			incidents: []lasting{{1, 4}, {2, 4}}, incident: hours(3), own: hours(4),
		},
		"an incident before the deployment": {
			incidents: []lasting{{-2, -1}, {-1, 1}}, incident: hours(3), own: hours(1),
		},
		"restored before the deployment: zero": {
			incidents: []lasting{{-2, -1}}, incident: hours(1), own: hours(0),
		},
		"a deployment that was never deployed gives none": {notDeployed: true, incidents: []lasting{{1, 2}}},
		"counts in the window of the last restoration": {
			incidents: []lasting{{1, 2}, {2, 6}}, window: lasting{5, 7}, incident: hours(5), own: hours(6),
		},
		"and in no other": {incidents: []lasting{{1, 2}, {2, 6}}, window: lasting{1, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			deployed := doraNow.Add(-10 * time.Hour)
			after := func(hours int) time.Time {
				if hours == never {
					return time.Time{}
				}
				return deployed.Add(time.Duration(hours) * time.Hour)
			}
			d := pastDeployment{project: "shop", environment: "production", team: "blue", id: "1", start: deployed.Add(-3 * time.Hour), deployed: deployed}
			if d.commit = d.start; test.notDeployed {
				d.deployed = time.Time{}
			}
			h := history{deployments: []pastDeployment{d}}
			for n, i := range test.incidents {
				h.incidents = append(h.incidents, pastIncident{
					project: "shop", environment: "production", team: "red", id: fmt.Sprint(n), deployment: "1",
					started: after(i.from), restored: after(i.to),
				})
			}
			s := openAt(t, at(doraNow))
			h.store(t, s)
			q := dora.Query{From: doraNow.Add(-24 * time.Hour), To: doraNow, Filter: dora.Filter{Team: "blue"}}
			if test.window != (lasting{}) {
				q.From, q.To = after(test.window.from), after(test.window.to)
			}
			for from, want := range map[dora.RecoveryStart][]time.Duration{dora.FromIncident: test.incident, dora.FromDeployment: test.own} {
				q.RecoveryFrom = from
				checkRecovery(t, s, q, want)
			}
		})
	}
}

func hours(n int) []time.Duration { return []time.Duration{time.Duration(n) * time.Hour} }

// checkRecovery compares the figure and its evidence with the samples.
func checkRecovery(t *testing.T, s *db.Store, q dora.Query, samples []time.Duration) {
	t.Helper()
	groups, err := s.Dora(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got := groups[0].FailedDeploymentRecovery; got != bruteDistribution(samples) {
		t.Errorf("from %d: got %+v, want %v", q.RecoveryFrom, got, samples)
	}
	checkEvidence(t, dora.FailedDeploymentRecoveryTime, groups[0].Totals, explainAll(t, s, dora.FailedDeploymentRecoveryTime, q, db.Everything))
}
