package exporter

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/em-metrics/em-metrics/db"
)

// instrument is a row of the table of instruments. Without a measure it is a
// counter that each event of its kinds increments; with a measure it is a
// histogram in seconds.
type instrument struct {
	name        string
	kinds       []db.Kind
	unit        string // of the counter
	measure     func(db.Event) db.NullDuration
	bounds      []time.Duration
	description string
}

// instruments returns the table of instruments, the only place in the code that
// names them.
func instruments() []instrument {
	lead := func(e db.Event) db.NullDuration { return e.LeadTime }
	deployment := func(e db.Event) db.NullDuration { return e.DeploymentDuration }
	detect := func(e db.Event) db.NullDuration { return e.TimeToDetect }
	restore := func(e db.Event) db.NullDuration { return e.TimeToRestore }
	type kinds = []db.Kind
	return []instrument{
		{name: "deployment_started", kinds: kinds{db.DeploymentStarted}, unit: "{deployment}",
			description: "Deployments that started."},
		{name: "deployment_frequency", kinds: kinds{db.DeploymentDeployed}, unit: "{deployment}",
			description: "Deployments that finished successfully."},
		{name: "lead_time_for_changes", kinds: kinds{db.DeploymentDeployed}, measure: lead, bounds: longBounds(),
			description: "Time from the oldest commit of a deployment until it was deployed, one sample for each deployment."},
		{name: "deployment_duration", kinds: kinds{db.DeploymentDeployed}, measure: deployment, bounds: shortBounds(),
			description: "Time from the start of a deployment until it was deployed."},
		{name: "deployment_aborted", kinds: kinds{db.DeploymentAborted}, unit: "{deployment}",
			description: "Deployments that were abandoned because their pipeline failed or was canceled."},
		{name: "change_failure_count", kinds: kinds{db.ChangeFailed}, unit: "{deployment}",
			description: "Deployments that led to at least one incident or were rolled back."},
		{name: "incident_count", kinds: kinds{db.IncidentStarted}, unit: "{incident}",
			description: "Incidents that started."},
		{name: "time_to_detect", kinds: kinds{db.IncidentStarted, db.IncidentLinked}, measure: detect, bounds: longBounds(),
			description: "Time from the deployment that caused an incident until the incident started."},
		{name: "incident_restored", kinds: kinds{db.IncidentRestored}, unit: "{incident}",
			description: "Incidents in which service was restored."},
		{name: "time_to_restore", kinds: kinds{db.IncidentRestored}, measure: restore, bounds: longBounds(),
			description: "Time from the start of an incident until service was restored."},
		{name: "incident_finished", kinds: kinds{db.IncidentFinished}, unit: "{incident}",
			description: "Incidents that were closed."},
	}
}

// prometheusName returns the name of the instrument in Prometheus.
func (i instrument) prometheusName() string {
	if i.measure != nil {
		return i.name + "_seconds"
	}
	return i.name + "_total"
}

// appliesTo reports whether an event of the right kind changes the instrument.
// For a histogram, the event must have the measure.
func (i instrument) appliesTo(e db.Event) bool { return i.measure == nil || i.measure(e).Valid }

// boundsInSeconds returns the bucket bounds in the form the SDK expects.
func (i instrument) boundsInSeconds() []float64 {
	bounds := make([]float64, len(i.bounds))
	for n, b := range i.bounds {
		bounds[n] = b.Seconds()
	}
	return bounds
}

// longBounds returns bucket bounds for durations of minutes to months. They are
// dense enough that a median estimated from the buckets of real lead times is
// off by about 4%.
func longBounds() []time.Duration {
	const minute, hour, day = time.Minute, time.Hour, 24 * time.Hour
	return []time.Duration{
		minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, 45 * minute,
		hour, 90 * minute, 2 * hour, 3 * hour, 4 * hour, 6 * hour, 8 * hour, 12 * hour, 16 * hour,
		day, 36 * hour, 2 * day, 3 * day, 4 * day, 5 * day, 7 * day, 10 * day, 14 * day, 21 * day,
		30 * day, 45 * day, 60 * day, 90 * day, 180 * day,
	}
}

// shortBounds returns bucket bounds for durations of seconds to hours.
func shortBounds() []time.Duration {
	const second, minute, hour = time.Second, time.Minute, time.Hour
	return []time.Duration{
		5 * second, 10 * second, 15 * second, 30 * second, 45 * second,
		minute, 90 * second, 2 * minute, 3 * minute, 4 * minute, 5 * minute, 7 * minute, 10 * minute,
		15 * minute, 20 * minute, 30 * minute, 45 * minute,
		hour, 90 * minute, 2 * hour, 4 * hour, 8 * hour, 24 * hour,
	}
}

// adder adds events to one instrument.
type adder struct {
	instrument
	index int // in the table
	add   func(ctx context.Context, e db.Event, set *labelSet)
	// zero creates the series without an event.
	zero func(ctx context.Context, set *labelSet)
	// restore creates the series with the number of events, before any is added. A
	// histogram gets its totals from the fold.
	restore func(ctx context.Context, events int64, set *labelSet)
}

// createAdders creates every instrument in the table.
func createAdders(meter metric.Meter) ([]adder, error) {
	var adders []adder
	for index, i := range instruments() {
		a, err := i.adder(meter)
		if err != nil {
			return nil, fmt.Errorf("create instrument %s: %w", i.name, err)
		}
		a.index = index
		adders = append(adders, a)
	}
	return adders, nil
}

func (i instrument) adder(meter metric.Meter) (adder, error) {
	if i.measure != nil {
		return i.histogram(meter)
	}
	counter, err := meter.Int64Counter(i.name, metric.WithUnit(i.unit), metric.WithDescription(i.description))
	return adder{
		instrument: i,
		add:        func(ctx context.Context, _ db.Event, set *labelSet) { counter.Add(ctx, 1, set.add...) },
		zero:       func(ctx context.Context, set *labelSet) { counter.Add(ctx, 0, set.add...) },
		restore:    func(ctx context.Context, events int64, set *labelSet) { counter.Add(ctx, events, set.add...) },
	}, err
}

func (i instrument) histogram(meter metric.Meter) (adder, error) {
	histogram, err := meter.Float64Histogram(i.name, metric.WithUnit("s"),
		metric.WithDescription(i.description), metric.WithExplicitBucketBoundaries(i.boundsInSeconds()...))
	return adder{
		instrument: i,
		add: func(ctx context.Context, e db.Event, set *labelSet) {
			histogram.Record(ctx, i.measure(e).V.Seconds(), set.record...)
		},
		zero:    func(context.Context, *labelSet) {}, // the SDK exports no empty histogram: see declared.go
		restore: func(ctx context.Context, _ int64, set *labelSet) { histogram.Record(ctx, 0, set.record...) },
	}, err
}
