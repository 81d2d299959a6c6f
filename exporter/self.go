package exporter

import (
	"context"
	"fmt"
	"runtime"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// self are the figures of the service itself, read when they are collected.
type self struct {
	lastEvent      metric.Float64ObservableGauge
	incidentsOpen  metric.Int64ObservableGauge
	storeSize      metric.Int64ObservableGauge
	storeAvailable metric.Int64ObservableGauge
	storeWritable  metric.Int64ObservableGauge
	labelSets      metric.Int64ObservableGauge
	overflowed     metric.Int64ObservableCounter
	pushFailures   metric.Int64ObservableCounter
	build          metric.Int64ObservableGauge
}

// observe registers the callback that every collection begins with: it catches
// up with the store, so that what is collected is complete, and reads the
// figures of the service itself.
func (e *Exporter) observe(o Options) error {
	meter := e.Meter()
	s, err := makeSelf(meter)
	if err != nil {
		return fmt.Errorf("make the service's own instruments: %w", err)
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
		return e.observeSelf(ctx, observer, s)
	}, s.lastEvent, s.incidentsOpen, s.storeSize, s.storeAvailable, s.storeWritable,
		s.labelSets, s.overflowed, s.pushFailures, s.build)
	if err != nil {
		return fmt.Errorf("register the collection: %w", err)
	}
	return nil
}

func makeSelf(meter metric.Meter) (s self, err error) {
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
		metric.WithDescription("When the newest event was recorded, in Unix time. Absent before the first."))
	s.incidentsOpen = gauge("em_metrics.incidents_open", "{incident}", "Incidents of which service is not restored.")
	s.storeSize = gauge("em_metrics.store.size", "By", "Size of the database and its write-ahead log.")
	s.storeAvailable = gauge("em_metrics.store.available", "By", "Free space of the file system of the database.")
	s.storeWritable = gauge("em_metrics.store.writable", "", "Whether the last attempt to write succeeded.")
	s.labelSets = gauge("em_metrics.label_sets", "{label_set}", "Distinct label sets of the events.")
	s.overflowed = counter(overflowedName, "{event}",
		"Events beyond the limit of label sets, counted together as otel_metric_overflow.")
	s.pushFailures = counter("em_metrics.push.failures", "{push}", "Pushes to the collector that failed.")
	s.build = gauge("em_metrics.build_info", "", "The build of this process. Always 1.")
	return s, err
}

func (e *Exporter) observeSelf(ctx context.Context, observer metric.Observer, s self) error {
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
