package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// collector is the OTLP receiver of the OpenTelemetry Collector. It stores the
// newest value of every series that it receives.
type collector struct {
	t        *testing.T
	protocol string
	address  string
	receiver component.Component

	mu     sync.Mutex
	values map[string]float64
}

// newCollector reserves an address. The collector listens on it after start.
func newCollector(t *testing.T, protocol string) *collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{t: t, protocol: protocol, address: listener.Addr().String(), values: map[string]float64{}}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *collector) start() {
	c.t.Helper()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	settings := confmap.NewFromStringMap(map[string]any{
		"protocols": map[string]any{c.protocol: map[string]any{"endpoint": c.address}},
	})
	if err := settings.Unmarshal(config); err != nil {
		c.t.Fatal(err)
	}
	next, err := consumer.NewMetrics(func(_ context.Context, m pmetric.Metrics) error {
		c.store(m)
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.receiver, err = factory.CreateMetrics(c.t.Context(), receivertest.NewNopSettings(factory.Type()), config, next)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.receiver.Start(c.t.Context(), componenttest.NewNopHost()); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.stop)
}

func (c *collector) stop() {
	if c.receiver != nil {
		if err := c.receiver.Shutdown(context.Background()); err != nil {
			c.t.Error(err)
		}
		c.receiver = nil
	}
}

// store stores sums and histograms under the names that Prometheus would give
// them, with the attributes exactly as they were sent.
func (c *collector) store(m pmetric.Metrics) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range m.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				c.storeMetric(metric)
			}
		}
	}
}

func (c *collector) storeMetric(metric pmetric.Metric) {
	switch metric.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range metric.Sum().DataPoints().All() {
			c.values[metric.Name()+"_total"+labelSet(p.Attributes())] = float64(p.IntValue())
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range metric.Histogram().DataPoints().All() {
			c.values[metric.Name()+"_seconds_count"+labelSet(p.Attributes())] = float64(p.Count())
			c.values[metric.Name()+"_seconds_sum"+labelSet(p.Attributes())] = p.Sum()
		}
	default:
	}
}

func labelSet(attributes pcommon.Map) string {
	set := model.LabelSet{}
	for key, value := range attributes.All() {
		set[model.LabelName(key)] = model.LabelValue(value.AsString())
	}
	return set.String()
}

// compare returns an error unless the totals received equal those of the service.
func (c *collector) compare(s *programtest.Service) error {
	exposed := s.Metrics()
	c.mu.Lock()
	defer c.mu.Unlock()
	compared := 0
	for series, want := range exposed {
		if !strings.Contains(series, "project_id=") || strings.HasPrefix(series, "dora_") {
			continue
		}
		compared++
		if got, ok := c.values[series]; !ok || got != want {
			return fmt.Errorf("%s was received as %v (%v), want %v", series, got, ok, want)
		}
	}
	if compared < 10 {
		return fmt.Errorf("only %d series were compared", compared)
	}
	return nil
}

func TestCollectorReceivesTheTotals(t *testing.T) {
	t.Parallel()
	for protocol, scheme := range map[string]string{"http": "http://", "grpc": "grpc://"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t, protocol)
			s := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=0", "OTEL_METRIC_EXPORT_INTERVAL=500",
				"OTEL_COLLECTOR_URL="+scheme+c.address)

			// The collector is not listening yet. Requests succeed nevertheless.
			for n := range 5 {
				s.Deploy("shop", n)
			}
			s.Post("/incidents", `{"id": "i1", "project_id": "shop", "deployment_id": "shop-1"}`)
			s.Post("/incidents/i1/restored", "")
			programtest.Eventually(t, 30*time.Second, func() error {
				if s.Metrics()["em_metrics_push_failures_total{}"] == 0 {
					return errors.New("no push has failed yet")
				}
				return nil
			})

			c.start()
			programtest.Eventually(t, 60*time.Second, func() error { return c.compare(s) })

			c.stop()
			s.Deploy("shop", 100)
			s.KillAndStart()
			s.Deploy("shop", 101)
			c.start()
			programtest.Eventually(t, 60*time.Second, func() error { return c.compare(s) })
		})
	}
}

// A collector that accepts connections and never answers does not delay stopping.
func TestStopInTimeWhileTheCollectorHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := programtest.StartService(t, "OTEL_METRIC_EXPORT_INTERVAL=500", "EM_METRICS_SHUTDOWN_TIMEOUT=4s",
		"OTEL_COLLECTOR_URL=http://"+listener.Addr().String())
	s.Deploy("shop", 1)
	start := time.Now()
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Errorf("the service ended with %v, want exit code 0", err)
	}
	// Some more than the limit, for a slow machine.
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("stopping took %s with a limit of 4s", took)
	}
}
