package exporter

import (
	"context"
	"fmt"
	"runtime"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/em-metrics/em-metrics/db/dora"
)

// serviceMetrics are the service's own metrics, read on every collection.
type serviceMetrics struct {
	lastEvent      metric.Float64ObservableGauge
	incidentsOpen  metric.Int64ObservableGauge
	storeSize      metric.Int64ObservableGauge
	storeAvailable metric.Int64ObservableGauge
	storeWritable  metric.Int64ObservableGauge
	labelSets      metric.Int64ObservableGauge
	overflowed     metric.Int64ObservableCounter
	pushFailures   metric.Int64ObservableCounter
	build          metric.Int64ObservableGauge
	environments   metric.Int64ObservableGauge
}

// registerServiceMetrics registers the callback that starts every collection. It
// catches up with the store, so that every collection is complete, and observes
// the service's own metrics.
func (e *Exporter) registerServiceMetrics(o Options) error {
	meter := e.Meter()
	s, err := newServiceMetrics(meter)
	if err != nil {
		return fmt.Errorf("create the service's own metrics: %w", err)
	}
	build := metric.WithAttributes(
		attribute.String("version", o.ServiceVersion),
		attribute.String("revision", o.Revision),
		attribute.String("goversion", runtime.Version()),
	)
	_, err = meter.RegisterCallback(func(ctx context.Context, observer metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
		defer cancel()
		if err := e.fold.catchUp(ctx); err != nil {
			return err
		}
		observer.ObserveInt64(s.build, 1, build)
		if o.Production != nil {
			e.observeEnvironments(observer, s, o.Production())
		}
		return e.observeServiceMetrics(ctx, observer, s)
	}, s.lastEvent, s.incidentsOpen, s.storeSize, s.storeAvailable, s.storeWritable,
		s.labelSets, s.overflowed, s.pushFailures, s.build, s.environments)
	if err != nil {
		return fmt.Errorf("register the collection callback: %w", err)
	}
	return nil
}

func newServiceMetrics(meter metric.Meter) (s serviceMetrics, err error) {
	gauge := func(name, unit, description string) (g metric.Int64ObservableGauge) {
		if err == nil {
			g, err = meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		}
		return g
	}
	counter := func(name, unit, description string) (c metric.Int64ObservableCounter) {
		if err == nil {
			c, err = meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		}
		return c
	}
	s.lastEvent, err = meter.Float64ObservableGauge("em_metrics.last_event.timestamp", metric.WithUnit("s"),
		metric.WithDescription("Unix time at which the newest event was recorded. Absent if there are no events."))
	s.incidentsOpen = gauge("em_metrics.incidents_open", "{incident}", "Incidents not yet restored.")
	s.storeSize = gauge("em_metrics.store.size", "By", "Size of the database file and its write-ahead log.")
	s.storeAvailable = gauge("em_metrics.store.available", "By", "Free space on the file system of the database.")
	s.storeWritable = gauge("em_metrics.store.writable", "", "Whether the last write to the database succeeded.")
	s.labelSets = gauge("em_metrics.label_sets", "{label_set}", "Distinct label sets of all events.")
	s.overflowed = counter(overflowedName, "{event}",
		"Events beyond the label set limit, counted under otel_metric_overflow.")
	s.pushFailures = counter("em_metrics.push.failures", "{push}", "Failed pushes to the collector.")
	s.build = gauge("em_metrics.build_info", "", "Build information. Always 1.")
	s.environments = gauge("em_metrics.environment_info", "",
		"Whether an environment counts as production, if that is configured. Always 1.")
	return s, err
}

// observeEnvironments observes every environment that anything is recorded in, if
// it is known which of them count as production.
func (e *Exporter) observeEnvironments(observer metric.Observer, s serviceMetrics, production dora.Environments) {
	if len(production) == 0 {
		return
	}
	for _, environment := range e.fold.environments() {
		observer.ObserveInt64(s.environments, 1, metric.WithAttributes(environmentLabel.String(environment),
			attribute.String("production", strconv.FormatBool(production.Match(environment)))))
	}
}

func (e *Exporter) observeServiceMetrics(ctx context.Context, observer metric.Observer, s serviceMetrics) error {
	status := e.fold.status()
	if !status.lastEvent.IsZero() {
		observer.ObserveFloat64(s.lastEvent, float64(status.lastEvent.UnixMilli())/1000)
	}
	observer.ObserveInt64(s.labelSets, int64(status.labelSets))
	observer.ObserveInt64(s.overflowed, status.overflowed)
	observer.ObserveInt64(s.pushFailures, e.pushFailures.Load())
	var writable int64
	if e.store.Writable() {
		writable = 1
	}
	observer.ObserveInt64(s.storeWritable, writable)

	open, err := e.store.OpenIncidents(ctx)
	if err != nil {
		return err
	}
	observer.ObserveInt64(s.incidentsOpen, open)
	size, err := e.store.Size()
	if err != nil {
		return err
	}
	observer.ObserveInt64(s.storeSize, size)
	available, known, err := e.store.Available()
	if err != nil {
		return err
	}
	if known {
		observer.ObserveInt64(s.storeAvailable, available)
	}
	return nil
}
