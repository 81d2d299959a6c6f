package exporter

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/em-metrics/em-metrics/db"
)

// totals has the totals of one series. The SDK adds up the same, but
// in floating point, where a sum depends on the order of the additions: after a
// start from a snapshot it could be lower by the last bit, and Prometheus takes a
// sum that falls for a restart and counts it in full again. Milliseconds are exact.
type totals struct {
	first time.Time // when the series started; zero if there is no event
	count int64
	// Only a histogram has the following, once there is an event.
	sum, min, max int64    // in milliseconds
	buckets       []uint64 // one more than there are bounds
}

// observe adds one event with which the series has started at the latest.
func (t *totals) observe(start time.Time) {
	if t.count == 0 || start.Before(t.first) {
		t.first = start
	}
	t.count++
}

// add adds an event that applies to the instrument.
func (t *totals) add(i instrument, e db.Event) {
	t.observe(startOf(e))
	if i.measure != nil {
		t.sample(i.bounds, i.measure(e).V)
	}
}

// sample adds the sample of an event, which has been counted, to a histogram.
func (t *totals) sample(bounds []time.Duration, d time.Duration) {
	ms := d.Milliseconds()
	if t.buckets == nil {
		t.buckets = make([]uint64, len(bounds)+1)
		t.min, t.max = ms, ms
	}
	bucket, _ := slices.BinarySearch(bounds, d)
	t.buckets[bucket]++
	t.sum, t.min, t.max = t.sum+ms, min(t.min, ms), max(t.max, ms)
}

// seconds returns a number of milliseconds in seconds.
func seconds(ms int64) float64 { return float64(ms) / 1000 }

// seriesStarted notes when the newest series started.
func (f *fold) seriesStarted(t totals) {
	if t.first.After(f.newestStart) {
		f.newestStart = t.first
	}
}

// writeTotals writes the totals over those of the SDK in its histograms. Its
// counters have the same already. It also gives the label set of all events beyond
// the limit its real attribute: once the SDK has a series of that name, it adds
// every new series to it.
func (f *fold) writeTotals(scopes []metricdata.ScopeMetrics) {
	beyond, shown := overflow.attributes(), attribute.NewSet(overflowLabel.Bool(true))
	rename := func(set *attribute.Set) {
		if set.Equivalent() == beyond.Equivalent() {
			*set = shown
		}
	}
	for _, scope := range scopes {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for n := range data.DataPoints {
					rename(&data.DataPoints[n].Attributes)
				}
			case metricdata.ExponentialHistogram[float64]:
				for n := range data.DataPoints {
					rename(&data.DataPoints[n].Attributes)
				}
			case metricdata.Histogram[float64]:
				index := slices.IndexFunc(f.adders, func(a adder) bool { return a.name == m.Name })
				for n := range data.DataPoints {
					p := &data.DataPoints[n]
					f.distinct[p.Attributes.Equivalent()].series[index].write(p)
					rename(&p.Attributes)
				}
			}
		}
	}
}

func (t *totals) write(p *metricdata.HistogramDataPoint[float64]) {
	p.Count, p.Sum = uint64(t.count), seconds(t.sum)
	p.Min, p.Max = metricdata.NewExtrema(seconds(t.min)), metricdata.NewExtrema(seconds(t.max))
	copy(p.BucketCounts, t.buckets)
}
