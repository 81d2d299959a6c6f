package exporter

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/em-metrics/em-metrics/db"
)

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

// Export adds the empty histograms of declared projects, sets young series to
// zero and every start, and exports.
func (e *heldExporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	now := e.fold.clock()
	adjusted := *rm
	adjusted.ScopeMetrics = slices.Clone(rm.ScopeMetrics)
	for i, scope := range adjusted.ScopeMetrics {
		if scope.Scope.Name != meterName {
			continue
		}
		metrics := e.fold.addEmptyPoints(scope.Metrics, e.started, now)
		for _, m := range metrics {
			switch {
			case e.names[m.Name]:
				e.adjust(m, now)
			case m.Name == eventsName, m.Name == overflowedName:
				e.fold.startTotals(m)
			}
		}
		adjusted.ScopeMetrics[i].Metrics = metrics
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

// startTotals sets the starts of the service's own totals that are folded from
// the events.
func (f *fold) startTotals(m metricdata.Metrics) {
	data, ok := m.Data.(metricdata.Sum[int64])
	if !ok {
		return
	}
	for i := range data.DataPoints {
		p := &data.DataPoints[i]
		at, known := f.start(overflow)
		if kind, ofKind := p.Attributes.Value(kindLabel); ofKind {
			at, known = f.startOfKind(db.Kind(kind.AsString()))
		}
		if known {
			p.StartTime = at
		}
	}
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
