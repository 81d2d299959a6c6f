package exporter

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A declared project has its series at zero before its first event. The SDK
// exports a counter at zero but not an empty histogram, so those are added
// here, to both outputs.

// declaredSets returns the label sets of the declared projects.
func (f *fold) declaredSets() (sets []labels) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for l, set := range f.sets {
		if set.declared {
			sets = append(sets, l)
		}
	}
	return sets
}

// histograms returns the instruments that are histograms.
func histograms() []instrument {
	return slices.DeleteFunc(instruments(), func(i instrument) bool { return i.measure == nil })
}

// declaringGatherer adds the empty histograms of declared projects to a scrape.
type declaringGatherer struct {
	prometheus.Gatherer
	fold *fold
}

// Gather implements [prometheus.Gatherer].
func (g *declaringGatherer) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	sets := g.fold.declaredSets()
	if len(sets) == 0 {
		return families, err
	}
	for _, i := range histograms() {
		families = i.addEmptyMetrics(families, sets)
	}
	return families, err
}

// addEmptyMetrics adds an empty histogram for each label set that has none.
func (i instrument) addEmptyMetrics(families []*dto.MetricFamily, sets []labels) []*dto.MetricFamily {
	at, found := slices.BinarySearchFunc(families, i.prometheusName(), func(f *dto.MetricFamily, name string) int {
		return cmp.Compare(f.GetName(), name)
	})
	if !found {
		name, kind := i.prometheusName(), dto.MetricType_HISTOGRAM
		families = slices.Insert(families, at, &dto.MetricFamily{Name: &name, Help: &i.description, Type: &kind})
	}
	seen := map[labels]bool{}
	for _, m := range families[at].GetMetric() {
		seen[labelsOfPairs(m.GetLabel())] = true
	}
	for _, l := range sets {
		if !seen[l] {
			families[at].Metric = append(families[at].Metric, i.emptyMetric(l))
		}
	}
	return families
}

func (i instrument) emptyMetric(l labels) *dto.Metric {
	attributes := l.attributes()
	m := &dto.Metric{Histogram: &dto.Histogram{SampleCount: new(uint64), SampleSum: new(float64)}}
	for _, a := range attributes.ToSlice() { // sorted by name
		name, value := string(a.Key), a.Value.AsString()
		m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &value})
	}
	for _, bound := range i.boundsInSeconds() {
		m.Histogram.Bucket = append(m.Histogram.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: new(uint64)})
	}
	return m
}

// addEmptyPoints adds an empty histogram for each declared project to the
// metrics of our scope. It copies the slices that the SDK reuses.
func (f *fold) addEmptyPoints(metrics []metricdata.Metrics, start, now time.Time) []metricdata.Metrics {
	sets := f.declaredSets()
	if len(sets) == 0 {
		return metrics
	}
	metrics = slices.Clone(metrics)
	for _, i := range histograms() {
		at := slices.IndexFunc(metrics, func(m metricdata.Metrics) bool { return m.Name == i.name })
		if at < 0 {
			at = len(metrics)
			metrics = append(metrics, metricdata.Metrics{
				Name: i.name, Description: i.description, Unit: "s",
				Data: metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality},
			})
		}
		if data, ok := metrics[at].Data.(metricdata.Histogram[float64]); ok {
			data.DataPoints = i.addEmptyPoints(data.DataPoints, sets, start, now)
			metrics[at].Data = data
		}
	}
	return metrics
}

func (i instrument) addEmptyPoints(
	points []metricdata.HistogramDataPoint[float64], sets []labels, start, now time.Time,
) []metricdata.HistogramDataPoint[float64] {
	seen := map[attribute.Distinct]bool{}
	for _, p := range points {
		seen[p.Attributes.Equivalent()] = true
	}
	points, bounds := slices.Clone(points), i.boundsInSeconds()
	for _, l := range sets {
		if attributes := l.attributes(); !seen[attributes.Equivalent()] {
			points = append(points, metricdata.HistogramDataPoint[float64]{
				Attributes: attributes, StartTime: start, Time: now,
				Bounds: bounds, BucketCounts: make([]uint64, len(bounds)+1),
			})
		}
	}
	return points
}
