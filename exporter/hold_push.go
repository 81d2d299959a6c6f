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

// heldExporter pushes new series at zero, and gives every series a start time
// that survives restarts: if the start time changed, a receiver would count the
// whole total again.
type heldExporter struct {
	sdkmetric.Exporter
	fold    *fold
	hold    time.Duration
	names   map[string]bool
	started time.Time // start time of series without events
}

func newHeldExporter(e sdkmetric.Exporter, f *fold, hold time.Duration) *heldExporter {
	names := map[string]bool{}
	for _, i := range instruments() {
		names[i.name] = true
	}
	return &heldExporter{Exporter: e, fold: f, hold: hold, names: names, started: f.store.Now()}
}

// Temporality is always cumulative, whatever the environment says: a series
// held at zero and totals that survive a restart have no meaning as deltas.
func (e *heldExporter) Temporality(sdkmetric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

// Export adds the empty histograms of declared projects, sets new series to
// zero, sets the start times and exports the result.
func (e *heldExporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	now := e.fold.monotonicNow()
	adjusted := *rm
	adjusted.ScopeMetrics = mergeScopes(rm.ScopeMetrics)
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
				e.fold.setServiceStarts(m)
			}
		}
		adjusted.ScopeMetrics[i].Metrics = metrics
	}
	return e.Exporter.Export(ctx, &adjusted)
}

// mergeScopes returns one entry for each scope: the fold and the service's own
// metrics have the same.
func mergeScopes(scopes []metricdata.ScopeMetrics) (merged []metricdata.ScopeMetrics) {
	for _, scope := range scopes {
		at := slices.IndexFunc(merged, func(m metricdata.ScopeMetrics) bool { return m.Scope == scope.Scope })
		if at < 0 {
			merged = append(merged, scope)
			continue
		}
		merged[at].Metrics = slices.Concat(merged[at].Metrics, scope.Metrics)
	}
	return merged
}

// adjust sets the start times of a metric and sets its held series to zero.
func (e *heldExporter) adjust(m metricdata.Metrics, now time.Time) {
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for i := range data.DataPoints {
			p := &data.DataPoints[i]
			if e.setStart(m.Name, p.Attributes, &p.StartTime, now) {
				p.Value = 0
			}
		}
	case metricdata.Histogram[float64]:
		for i := range data.DataPoints {
			p := &data.DataPoints[i]
			if e.setStart(m.Name, p.Attributes, &p.StartTime, now) {
				p.Count, p.Sum, p.BucketCounts = 0, 0, make([]uint64, len(p.BucketCounts))
				p.Min, p.Max = metricdata.Extrema[float64]{}, metricdata.Extrema[float64]{}
			}
		}
	case metricdata.ExponentialHistogram[float64]:
		for i := range data.DataPoints {
			p := &data.DataPoints[i]
			if e.setStart(m.Name, p.Attributes, &p.StartTime, now) {
				p.Count, p.Sum, p.ZeroCount = 0, 0, 0
				p.PositiveBucket, p.NegativeBucket = metricdata.ExponentialBucket{}, metricdata.ExponentialBucket{}
				p.Min, p.Max = metricdata.Extrema[float64]{}, metricdata.Extrema[float64]{}
			}
		}
	}
}

// setStart sets the start time of a data point and reports whether the point is
// held at zero.
func (e *heldExporter) setStart(name string, attributes attribute.Set, start *time.Time, now time.Time) (held bool) {
	l := labelsOfAttributes(attributes)
	if at, known := e.fold.start(l); known {
		*start = at
	}
	return e.fold.held(name, l, now, e.hold)
}

// setServiceStarts sets the start times of the service's own counters that are
// folded from the events.
func (f *fold) setServiceStarts(m metricdata.Metrics) {
	data, ok := m.Data.(metricdata.Sum[int64])
	if !ok {
		return
	}
	for i := range data.DataPoints {
		p := &data.DataPoints[i]
		at, known := f.start(overflow)
		if kind, ok := p.Attributes.Value(kindLabel); ok {
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
