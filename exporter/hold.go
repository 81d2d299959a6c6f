package exporter

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/em-metrics/em-metrics/db"
)

// A series that appears with its first event already counted is invisible to
// increase() of Prometheus: it sees no rise. So for a while after its first
// event a series is shown at zero, and then with its value. The age comes from
// the store, which makes it the same after a restart.
//
// Both outputs are wrapped: scraped families by [heldGatherer], pushed metrics
// by [heldExporter].

// clock is the time at which ages are taken. It never goes back, so that a
// series which has been shown is not held again when the machine's clock is
// set.
func (f *fold) clock() time.Time {
	now := f.store.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.After(f.latest) {
		f.latest = now
	}
	return f.latest
}

// holdable tells whether any series can be young enough to be held.
func (f *fold) holdable(now time.Time, hold time.Duration) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return now.Sub(f.youngest) < hold
}

// held tells whether the series is still shown at zero.
func (f *fold) held(instrument string, l labels, now time.Time, hold time.Duration) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	set := f.sets[l]
	if set == nil {
		return false
	}
	first, known := set.firstOf[instrument]
	// What began far in the future was recorded by a clock that was wrong: it
	// must not be held until that time comes.
	return known && now.Sub(first) < hold && first.Sub(now) < hold
}

// start is when the first event of the label set was recorded. It is unknown
// for a set without events.
func (f *fold) start(l labels) (at time.Time, known bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	set := f.sets[l]
	if set == nil || set.firstEvent.IsZero() {
		return time.Time{}, false
	}
	return set.firstEvent, true
}

// startOfKind is when the first event of the kind was recorded.
func (f *fold) startOfKind(kind db.Kind) (at time.Time, known bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	at, known = f.kinds[kind]
	return at, known
}

// heldGatherer is a gatherer that shows young series at zero.
type heldGatherer struct {
	prometheus.Gatherer
	fold  *fold
	hold  time.Duration
	names map[string]string // the instrument of each family
}

func newHeldGatherer(g prometheus.Gatherer, f *fold, hold time.Duration) *heldGatherer {
	names := map[string]string{}
	for _, i := range instruments() {
		names[i.prometheusName()] = i.name
	}
	return &heldGatherer{Gatherer: g, fold: f, hold: hold, names: names}
}

// Gather gathers and sets young series to zero.
func (g *heldGatherer) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	// The clock is read after the values, so that an event which is in them is
	// not older than it is.
	now := g.fold.clock()
	if !g.fold.holdable(now, g.hold) {
		return families, err
	}
	for _, family := range families {
		instrument, ours := g.names[family.GetName()]
		if !ours {
			continue
		}
		for _, m := range family.GetMetric() {
			if g.fold.held(instrument, labelsOfPairs(m.GetLabel()), now, g.hold) {
				zeroFamily(m)
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

func zeroFamily(m *dto.Metric) {
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
