package exporter

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/em-metrics/em-metrics/db"
)

// If a series first appears with its first event already counted, Prometheus's
// increase() misses that event, because it never sees the value rise. For a
// while after its first event a series is therefore exported at zero, and only
// then with its value. Its age comes from the store, so a restart does not
// change it.
//
// Both outputs are wrapped: scrapes by [heldGatherer], pushes by [heldExporter].

// historyAge is the delay from which a recorded event counts as history, such as that
// of an import, rather than as news.
const historyAge = 24 * time.Hour

// startOf returns when the hold of a series begins because of an event. For history
// that is when it happened, so the hold is over: an import is not a burst.
func startOf(e db.Event) time.Time {
	if e.RecordedAt.Sub(e.OccurredAt) >= historyAge {
		return e.OccurredAt
	}
	return e.RecordedAt
}

// monotonicNow returns the time that ages are measured against. It never goes
// back, so a series whose hold has ended is not held again when the system
// clock is set back.
func (f *fold) monotonicNow() time.Time {
	now := f.store.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.After(f.latestNow) {
		f.latestNow = now
	}
	return f.latestNow
}

// anyHeld reports whether any series is new enough to be held.
func (f *fold) anyHeld(now time.Time, hold time.Duration) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return now.Sub(f.newestStart) < hold
}

// held reports whether the series is still exported at zero.
func (f *fold) held(instrument string, l labels, now time.Time, hold time.Duration) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	set := f.sets[l]
	if set == nil {
		return false
	}
	index := slices.IndexFunc(f.adders, func(a adder) bool { return a.name == instrument })
	first := set.series[index].first
	// A series that starts far in the future was recorded while the clock was
	// wrong. It must not be held until that time comes.
	return !first.IsZero() && now.Sub(first) < hold && first.Sub(now) < hold
}

// start returns when the first event of the label set was recorded. It is
// unknown for a set without events.
func (f *fold) start(l labels) (at time.Time, known bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	set := f.sets[l]
	if set == nil || set.firstEvent.IsZero() {
		return time.Time{}, false
	}
	return set.firstEvent, true
}

// startOfKind returns when the first event of the kind was recorded.
func (f *fold) startOfKind(kind db.Kind) (at time.Time, known bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	at = f.kinds[kind].first
	return at, !at.IsZero()
}

// heldGatherer gathers new series at zero.
type heldGatherer struct {
	prometheus.Gatherer
	fold  *fold
	hold  time.Duration
	names map[string]string // instrument names by metric family
}

func newHeldGatherer(g prometheus.Gatherer, f *fold, hold time.Duration) *heldGatherer {
	names := map[string]string{}
	for _, i := range instruments() {
		names[i.prometheusName()] = i.name
	}
	return &heldGatherer{Gatherer: g, fold: f, hold: hold, names: names}
}

// Gather implements [prometheus.Gatherer].
func (g *heldGatherer) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	// The clock is read after the values, so that no event among them is newer
	// than now.
	now := g.fold.monotonicNow()
	if !g.fold.anyHeld(now, g.hold) {
		return families, err
	}
	for _, family := range families {
		instrument, ours := g.names[family.GetName()]
		if !ours {
			continue
		}
		for _, m := range family.GetMetric() {
			if g.fold.held(instrument, labelsOfPairs(m.GetLabel()), now, g.hold) {
				zeroMetric(m)
			}
		}
	}
	return families, err
}

func labelsOfPairs(pairs []*dto.LabelPair) labels {
	var l labels
	for _, p := range pairs {
		switch p.GetName() {
		case "project_id":
			l.project = p.GetValue()
		case "environment":
			l.environment = p.GetValue()
		case "team_id":
			l.team = p.GetValue()
		case "otel_metric_overflow":
			return overflow
		}
	}
	return l
}

func zeroMetric(m *dto.Metric) {
	if c := m.GetCounter(); c != nil {
		c.Value = new(float64)
	}
	h := m.GetHistogram()
	if h == nil {
		return
	}
	h.SampleCount, h.SampleSum = new(uint64), new(float64)
	for _, b := range h.GetBucket() {
		b.CumulativeCount = new(uint64)
	}
}
