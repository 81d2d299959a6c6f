package exporter

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A series that appears with its first event already counted is invisible to
// increase() of Prometheus: it sees no rise. So for a while after its first
// event a series is shown at zero, and then with its value. The age comes from
// the store, which makes it the same after a restart.
//
// Both outputs are wrapped: scraped families by [heldGatherer], pushed metrics
// by [heldExporter].

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
	return known && now.Sub(first) < hold
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
	now := g.fold.store.Now()
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

// heldExporter is an exporter that pushes young series at zero, and every
// series with a start that does not move: a start that changed with each
// restart would make a receiver count the whole total again.
type heldExporter struct {
	sdkmetric.Exporter
	fold    *fold
	hold    time.Duration
	names   map[string]bool
	started time.Time // of this process, for series without an event
}

func newHeldExporter(e sdkmetric.Exporter, f *fold, hold time.Duration) *heldExporter {
	names := map[string]bool{}
	for _, i := range instruments() {
		names[i.name] = true
	}
	return &heldExporter{Exporter: e, fold: f, hold: hold, names: names, started: f.store.Now()}
}

// Temporality is cumulative whatever the environment prefers: zero first, and
// totals that survive a restart, mean nothing as differences.
func (e *heldExporter) Temporality(sdkmetric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

// Export sets young series to zero and every start, adds the empty histograms
// of declared projects, and exports.
func (e *heldExporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	now := e.fold.store.Now()
	adjusted := *rm
	adjusted.ScopeMetrics = slices.Clone(rm.ScopeMetrics)
	for i, scope := range adjusted.ScopeMetrics {
		if scope.Scope.Name != meterName {
			continue
		}
		for _, m := range scope.Metrics {
			if e.names[m.Name] {
				e.adjust(m, now)
			}
		}
		adjusted.ScopeMetrics[i].Metrics = e.fold.addEmptyPoints(scope.Metrics, e.started, now)
	}
	return e.Exporter.Export(ctx, &adjusted)
}

func (e *heldExporter) adjust(m metricdata.Metrics, now time.Time) {
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for i := range data.DataPoints {
			p := &data.DataPoints[i]
			if e.point(m.Name, p.Attributes, &p.StartTime, now) {
				p.Value = 0
			}
		}
	case metricdata.Histogram[float64]:
		for i := range data.DataPoints {
			p := &data.DataPoints[i]
			if e.point(m.Name, p.Attributes, &p.StartTime, now) {
				p.Count, p.Sum, p.BucketCounts = 0, 0, make([]uint64, len(p.BucketCounts))
				p.Min, p.Max = metricdata.Extrema[float64]{}, metricdata.Extrema[float64]{}
			}
		}
	case metricdata.ExponentialHistogram[float64]:
		for i := range data.DataPoints {
			p := &data.DataPoints[i]
			if e.point(m.Name, p.Attributes, &p.StartTime, now) {
				p.Count, p.Sum, p.ZeroCount = 0, 0, 0
				p.PositiveBucket, p.NegativeBucket = metricdata.ExponentialBucket{}, metricdata.ExponentialBucket{}
				p.Min, p.Max = metricdata.Extrema[float64]{}, metricdata.Extrema[float64]{}
			}
		}
	}
}

// point sets the start of a data point and tells whether it is to be zero.
func (e *heldExporter) point(name string, attributes attribute.Set, start *time.Time, now time.Time) (zero bool) {
	l := labelsOfAttributes(attributes)
	if at, known := e.fold.start(l); known {
		*start = at
	}
	return e.fold.held(name, l, now, e.hold)
}

func labelsOfAttributes(set attribute.Set) labels {
	if _, ok := set.Value(overflowLabel); ok {
		return overflow
	}
	text := func(key attribute.Key) string {
		v, _ := set.Value(key)
		return v.AsString()
	}
	return labels{text(projectLabel), text(environmentLabel), text(teamLabel)}
}
