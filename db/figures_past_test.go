package db_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// compareHistory compares the figures of windows that end at random times, among them
// those at which something happened.
func compareHistory(t *testing.T, s *db.Store, h history, lengths []time.Duration, random *rand.Rand) {
	t.Helper()
	past, err := s.History(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		end := pick(random, randomDate(random), pick(random, append(h.dates(), doraNow)...))
		// Without the long windows, some labels have no totals.
		some := lengths[:1+random.IntN(len(lengths))]
		got := past.WindowsAt(end, some, nil)
		if want := bruteWindows(h.until(end), some, end); !reflect.DeepEqual(got, want) {
			t.Fatalf("windows that end %s\n got %+v\nwant %+v\nhistory %+v", end, got, want, h)
		}
	}
}

// until is the history as it was known at a time, if everything was recorded when
// it happened.
func (h history) until(end time.Time) (known history) {
	for _, d := range h.deployments {
		for _, at := range []*time.Time{&d.deployed, &d.aborted, &d.rolledBack} {
			if !at.Before(end) {
				*at = time.Time{}
			}
		}
		if within(d.start, time.Time{}, end) || !d.deployed.IsZero() || !d.aborted.IsZero() {
			known.deployments = append(known.deployments, d)
		}
	}
	for _, i := range h.incidents {
		if !i.restored.Before(end) {
			i.restored = time.Time{}
		}
		if i.started.Before(end) {
			known.incidents = append(known.incidents, i)
		}
	}
	return known
}

// rollBack lets every rollback replace the newest deployment before it: its open
// incidents are restored.
func (h history) rollBack() {
	for _, by := range h.deployments {
		if !by.rollback {
			continue
		}
		var replaced *pastDeployment
		for n := range h.deployments {
			d := &h.deployments[n]
			if d.project == by.project && d.environment == by.environment && within(d.deployed, time.Time{}, by.deployed) &&
				(replaced == nil || !d.deployed.Before(replaced.deployed)) {
				replaced = d
			}
		}
		if replaced == nil {
			continue
		}
		replaced.rolledBack = by.deployed
		for n := range h.incidents {
			i := &h.incidents[n]
			if replaced.caused(*i) && i.restored.IsZero() && !i.started.After(by.deployed.Add(db.ClockTolerance)) {
				i.restored, i.automatic = by.deployed, true
			}
		}
	}
}

// caused reports whether an incident is linked to the deployment.
func (d pastDeployment) caused(i pastIncident) bool {
	return i.deployment == d.id && i.project == d.project && i.environment == d.environment
}
