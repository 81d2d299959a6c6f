// Package exporter turns the events of the store into metrics: it folds them
// into OpenTelemetry instruments, which Prometheus scrapes and a collector
// receives.
package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/otlptranslator"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/em-metrics/em-metrics/db"
)

// meterName is the name of the instrumentation scope.
const meterName = "github.com/em-metrics/em-metrics"

// catchUpTimeout bounds how long a collection waits for the store.
const catchUpTimeout = 10 * time.Second

// Options are the settings of an [Exporter].
type Options struct {
	// ServiceName, ServiceVersion and Revision describe this process.
	ServiceName    string
	ServiceVersion string
	Revision       string
	// Environment is the deployment environment this process stands for.
	Environment string
	// CollectorURL is where to push: http(s)://host[:port][/path] for OTLP over
	// HTTP, grpc(s)://host:port over gRPC. Empty means no push.
	CollectorURL string
	// PushInterval is the time between pushes. Zero means the SDK's default:
	// OTEL_METRIC_EXPORT_INTERVAL, else a minute.
	PushInterval time.Duration
	// SeriesHold is how long a series is shown at zero after its first event.
	// It should be at least twice the longest scrape or push interval.
	SeriesHold time.Duration
	// LabelSetLimit bounds the distinct label sets. Zero means 2000.
	LabelSetLimit int
	// Windows are the lengths of the windows whose exact figures are shown as
	// gauges. None means no such gauges.
	Windows []time.Duration
	// WindowSeriesLimit bounds the series of the windows; the projects and
	// teams with the fewest deployments are left out first. Zero means 20000.
	WindowSeriesLimit int
	// WindowPatience is how long a collection waits for new figures of the
	// windows before it shows the ones it has. Zero means 20 milliseconds.
	WindowPatience time.Duration
	// Logger receives what goes wrong. Nil means [slog.Default].
	Logger *slog.Logger
}

// Exporter shows the events of a store as metrics. Its methods may be called
// concurrently.
type Exporter struct {
	store        *db.Store
	logger       *slog.Logger
	fold         *fold
	windows      *windows // nil: none are shown
	provider     *sdkmetric.MeterProvider
	registry     *prometheus.Registry
	hold         time.Duration
	pushFailures atomic.Int64
}

// New makes the exporter. Until [Exporter.CatchUp] has succeeded once it shows
// and pushes nothing.
func New(ctx context.Context, store *db.Store, o Options) (*Exporter, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.LabelSetLimit == 0 {
		o.LabelSetLimit = 2000
	}
	e := &Exporter{
		store: store, logger: o.Logger, hold: o.SeriesHold,
		fold: newFold(store, o.LabelSetLimit, o.Logger), registry: prometheus.NewRegistry(),
		windows: newWindows(store, o),
	}
	e.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	if err := e.connect(ctx, o); err != nil {
		return nil, fmt.Errorf("make the exporter: %w", err)
	}
	if err := e.fold.instrument(e.Meter()); err != nil {
		return nil, fmt.Errorf("make the exporter: %w", err)
	}
	if err := e.observe(o); err != nil {
		return nil, fmt.Errorf("make the exporter: %w", err)
	}
	return e, nil
}

// connect makes the provider with its readers: one for scrapes and, if there
// is a collector, one that pushes.
func (e *Exporter) connect(ctx context.Context, o Options) error {
	res, err := describe(ctx, o)
	if err != nil {
		return err
	}
	scrape, err := otelprometheus.New(otelprometheus.WithRegisterer(e.registry),
		otelprometheus.WithoutScopeInfo(), // a push has no such labels, and both must be alike
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	if err != nil {
		return fmt.Errorf("make the Prometheus reader: %w", err)
	}
	options := []sdkmetric.Option{
		sdkmetric.WithResource(res), sdkmetric.WithReader(scrape),
		sdkmetric.WithCardinalityLimit(0), // the fold has its own limit, which a restart does not shift
		sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter),
	}
	if o.CollectorURL != "" {
		push, err := newPushExporter(ctx, o.CollectorURL)
		if err != nil {
			return fmt.Errorf("make the push to the collector: %w", err)
		}
		push = &countingExporter{Exporter: newHeldExporter(push, e.fold, e.hold), failures: &e.pushFailures}
		var reader []sdkmetric.PeriodicReaderOption
		if o.PushInterval > 0 {
			reader = append(reader, sdkmetric.WithInterval(o.PushInterval))
		}
		if e.windows != nil {
			reader = append(reader, sdkmetric.WithProducer(e.windows))
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(push, reader...)))
	}
	e.provider = sdkmetric.NewMeterProvider(options...)
	return nil
}

// describe is the resource that pushed metrics belong to. The instance is the
// host, because a name that is new with each start would make each start a new
// set of series. What OTEL_RESOURCE_ATTRIBUTES says comes last and wins.
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find the host name: %w", err)
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		semconv.ServiceName(o.ServiceName), semconv.ServiceVersion(o.ServiceVersion),
		semconv.ServiceInstanceID(host), semconv.DeploymentEnvironmentNameKey.String(o.Environment),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this process: %w", err)
	}
	return res, nil
}

// Meter returns the meter for other figures of this process.
func (e *Exporter) Meter() metric.Meter { return e.provider.Meter(meterName) }

// Declare makes the counters of a project exist at zero before its first event.
// The team is empty when it is not known.
func (e *Exporter) Declare(ctx context.Context, project, environment, team string) {
	e.fold.declare(ctx, labels{project, environment, team})
}

// CatchUp applies every event that has been stored. The first call takes about
// two seconds for a million events; from when it has succeeded, metrics are
// shown and pushed.
func (e *Exporter) CatchUp(ctx context.Context) error { return e.fold.catchUp(ctx) }

// ForceFlush pushes what is pending, if there is a collector, until the
// context ends.
func (e *Exporter) ForceFlush(ctx context.Context) error { return e.provider.ForceFlush(ctx) }

// Shutdown pushes what is pending, if there is a collector, until the context
// ends. The store must still be open.
func (e *Exporter) Shutdown(ctx context.Context) error {
	err := e.provider.Shutdown(ctx)
	e.windows.shutdown()
	if err != nil {
		return fmt.Errorf("shut the exporter down: %w", err)
	}
	return nil
}
