// Package exporter turns the events in the store into metrics. It folds them
// into OpenTelemetry instruments, which Prometheus scrapes and which are
// optionally pushed to a collector.
package exporter

import (
	"context"
	"errors"
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
	"github.com/em-metrics/em-metrics/db/dora"
)

// meterName is the name of the instrumentation scope.
const meterName = "github.com/em-metrics/em-metrics"

const defaultLabelSetLimit = 2000

// catchUpTimeout bounds how long a collection waits for the store.
const catchUpTimeout = 10 * time.Second

// Options configures an [Exporter].
type Options struct {
	// ServiceName, ServiceVersion and Revision identify this process.
	ServiceName    string
	ServiceVersion string
	Revision       string
	// Environment is the deployment environment this process runs in.
	Environment string
	// CollectorURL is the collector to push to: http(s)://host[:port][/path] for
	// OTLP over HTTP, grpc(s)://host:port for OTLP over gRPC. Empty disables the
	// push.
	CollectorURL string
	// PushInterval is the time between pushes. Zero means the SDK's default:
	// OTEL_METRIC_EXPORT_INTERVAL, or one minute if that is not set.
	PushInterval time.Duration
	// SeriesHold is how long a series is exported at zero after its first event.
	// It should be at least twice the longest scrape or push interval.
	SeriesHold time.Duration
	// LabelSetLimit is the maximum number of distinct label sets of the counters,
	// and of environments, projects and teams in the figures of windows. The first
	// ones keep their series; the others are counted together. Zero means 2000.
	LabelSetLimit int
	// Windows are the lengths of the time windows whose exact figures are
	// exported as gauges. Empty disables these gauges.
	Windows []time.Duration
	// WindowSeriesLimit is the maximum number of series of these gauges; the
	// projects and teams with the fewest deployments are dropped first. Zero
	// means 27000.
	WindowSeriesLimit int
	// WindowPatience is how long a collection waits for the windows to be
	// recomputed before it exports the previous figures. Zero means 20
	// milliseconds.
	WindowPatience time.Duration
	// Production returns the environments that count as production, none if that is
	// not known. It may be nil.
	Production func() dora.Environments
	// Logger receives warnings and errors. Nil means [slog.Default].
	Logger *slog.Logger
}

// Exporter exports the events of a store as metrics. Its methods are safe for
// concurrent use.
type Exporter struct {
	store        *db.Store
	logger       *slog.Logger
	fold         *fold
	windows      *windows // nil if disabled
	provider     *sdkmetric.MeterProvider
	registry     *prometheus.Registry
	hold         time.Duration
	pushFailures atomic.Int64
}

// New creates an exporter. It exports nothing until [Exporter.CatchUp] has
// succeeded once.
func New(ctx context.Context, store *db.Store, o Options) (*Exporter, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.LabelSetLimit == 0 {
		o.LabelSetLimit = defaultLabelSetLimit
	}
	e := &Exporter{
		store: store, logger: o.Logger, hold: o.SeriesHold,
		fold: newFold(store, o.LabelSetLimit, o.Logger), registry: prometheus.NewRegistry(),
	}
	e.windows = newWindows(store, e.fold, o)
	e.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	if err := e.setUpProvider(ctx, o); err != nil {
		return nil, fmt.Errorf("create the exporter: %w", err)
	}
	if err := e.fold.createInstruments(); err != nil {
		return nil, fmt.Errorf("create the exporter: %w", err)
	}
	if err := e.registerServiceMetrics(o); err != nil {
		return nil, fmt.Errorf("create the exporter: %w", err)
	}
	return e, nil
}

// setUpProvider creates the meter provider and its readers: one for scrapes
// and, if a collector is configured, one that pushes.
func (e *Exporter) setUpProvider(ctx context.Context, o Options) error {
	res, err := newResource(ctx, o)
	if err != nil {
		return err
	}
	scrape, err := otelprometheus.New(otelprometheus.WithRegisterer(e.registry),
		otelprometheus.WithProducer(e.fold.addOutlet(sdkmetric.DefaultAggregationSelector)),
		otelprometheus.WithoutScopeInfo(), // a push has no such labels, and both outputs must match
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	if err != nil {
		return fmt.Errorf("create the Prometheus reader: %w", err)
	}
	options := []sdkmetric.Option{
		sdkmetric.WithResource(res), sdkmetric.WithReader(scrape),
		sdkmetric.WithCardinalityLimit(0), // as for the fold, see newMeter; what else there is has few label sets
		sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter),
	}
	if o.CollectorURL != "" {
		push, err := newPushExporter(ctx, o.CollectorURL)
		if err != nil {
			return fmt.Errorf("create the push exporter: %w", err)
		}
		push = &countingExporter{Exporter: newHeldExporter(push, e.fold, e.hold), failures: &e.pushFailures}
		reader := []sdkmetric.PeriodicReaderOption{sdkmetric.WithProducer(e.fold.addOutlet(push.Aggregation))}
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

// newResource returns the resource attached to pushed metrics. The instance ID
// is the host name, because an ID that changed on every start would create a new
// set of series each time. OTEL_RESOURCE_ATTRIBUTES takes precedence.
func newResource(ctx context.Context, o Options) (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("get the host name: %w", err)
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		semconv.ServiceName(o.ServiceName), semconv.ServiceVersion(o.ServiceVersion),
		semconv.ServiceInstanceID(host), semconv.DeploymentEnvironmentNameKey.String(o.Environment),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("create the resource: %w", err)
	}
	return res, nil
}

// Meter returns the meter for other metrics of this process.
func (e *Exporter) Meter() metric.Meter { return e.provider.Meter(meterName) }

// Declare exports the series of a project at zero before its first event. The
// team is empty if it is not known.
func (e *Exporter) Declare(ctx context.Context, project, environment, team string) {
	e.fold.declare(ctx, labels{project, environment, team})
}

// CatchUp applies every stored event that has not been applied yet. The first
// call starts with the totals that were saved last; without them it takes about
// two seconds per million events. Once it has succeeded, metrics are exported.
func (e *Exporter) CatchUp(ctx context.Context) error { return e.fold.catchUp(ctx) }

// ForceFlush pushes pending metrics, if a collector is configured. It returns
// when the context is done.
func (e *Exporter) ForceFlush(ctx context.Context) error { return e.provider.ForceFlush(ctx) }

// Shutdown saves the totals for the next start, pushes pending metrics, if a
// collector is configured, and stops the exporter. It returns when the context is
// done. The store must still be open.
func (e *Exporter) Shutdown(ctx context.Context) error {
	if err := errors.Join(e.fold.saveNow(ctx), e.windows.save(ctx)); err != nil {
		e.logger.Warn("the totals could not be saved: a start will take longer", "error", err)
	}
	err := e.provider.Shutdown(ctx)
	e.windows.shutdown()
	if err != nil {
		return fmt.Errorf("shut down the exporter: %w", err)
	}
	return nil
}
