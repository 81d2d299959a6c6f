package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// alloy is the content of config.alloy.
type alloy struct {
	text   string
	blocks map[string]string // the body of each component, by name
}

var block = regexp.MustCompile(`(?ms)^([a-z_.]+) "([a-z_]+)" \{\n(.*?)^\}`)

func readAlloy(t *testing.T) alloy {
	t.Helper()
	content, err := os.ReadFile("../prometheus/config.alloy")
	if err != nil {
		t.Fatal(err)
	}
	a := alloy{string(content), map[string]string{}}
	for _, match := range block.FindAllStringSubmatch(a.text, -1) {
		a.blocks[match[1]+"."+match[2]] = match[3]
	}
	return a
}

// setting returns the value of an argument of a component.
func (a alloy) setting(t *testing.T, component, name string) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^\s+` + name + `\s+= (.*)$`).FindStringSubmatch(a.blocks[component])
	if match == nil {
		t.Fatalf("config.alloy: %s does not set %s", component, name)
	}
	return match[1]
}

// pipeline follows the outputs of a component and returns the names along the
// path, beginning with its own.
func (a alloy) pipeline(t *testing.T, from string) []string {
	t.Helper()
	path := []string{from}
	next := regexp.MustCompile(`(?:metrics|forward_to)\s+= \[([a-z_.]+)\.(?:input|receiver)\]`)
	for {
		body, ok := a.blocks[path[len(path)-1]]
		if !ok {
			t.Fatalf("config.alloy: there is no component %s", path[len(path)-1])
		}
		match := next.FindStringSubmatch(body)
		if match == nil {
			return path
		}
		path = append(path, match[1])
	}
}

func TestAlloyConfiguration(t *testing.T) {
	t.Parallel()
	a := readAlloy(t)
	for from, want := range map[string]string{
		"otelcol.receiver.otlp.em_metrics": "otelcol.receiver.otlp.em_metrics otelcol.processor.batch.em_metrics " +
			"otelcol.exporter.prometheus.em_metrics prometheus.remote_write.prometheus",
		"prometheus.scrape.em_metrics": "prometheus.scrape.em_metrics prometheus.remote_write.prometheus",
	} {
		if got := strings.Join(a.pipeline(t, from), " "); got != want {
			t.Errorf("the pipeline is\n%s, want\n%s", got, want)
		}
	}
	if got := a.setting(t, "prometheus.scrape.em_metrics", "job_name"); got != `"em_metrics"` {
		t.Errorf("Alloy scrapes as job %s, but em-metrics pushes as em_metrics", got)
	}
	open, closed := strings.Count(a.text, "{"), strings.Count(a.text, "}")
	if open != closed {
		t.Errorf("%d opening braces, but %d closing braces", open, closed)
	}
	for n, line := range strings.Split(a.text, "\n") {
		if strings.HasPrefix(line, " ") {
			t.Errorf("config.alloy:%d is indented with spaces instead of tabs", n+1)
		}
	}
}

// TestAlloyPipeline runs the pipeline of config.alloy with its settings in an
// OpenTelemetry Collector: OTLP, batch, Prometheus remote write.
func TestAlloyPipeline(t *testing.T) {
	t.Parallel()
	written := startPrometheus(t, "", "--web.enable-remote-write-receiver")
	address := startPipeline(t, readAlloy(t), "http://"+written.address+"/api/v1/write")
	s := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=3s", "OTEL_METRIC_EXPORT_INTERVAL=1000", "OTEL_COLLECTOR_URL=http://"+address)
	scraped := startPrometheus(t, scrapeConfig(s))
	for n := range 4 {
		s.Deploy("shop", n)
	}
	s.Deploy("a/b ünïcode \"quoted\"", 1)
	s.Post("/incidents", `{"id": "i1", "project_id": "shop", "deployment_id": "shop-1"}`)
	s.Post("/incidents/i1/finished", "")
	scraped.waitFor(`time_to_restore_seconds_count{project_id="shop"}`, 1)
	written.waitFor(`time_to_restore_seconds_count{project_id="shop"}`, 1)
	programtest.Eventually(t, 60*time.Second, func() error { return compareSeries(scraped, written) })

	// The target has the same labels, and target_info has its resource.
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	written.waitFor(fmt.Sprintf(`sum(deployment_frequency_total{job="em_metrics", instance=%q, otel_scope_name=""})`, host), 5)
	written.waitFor(fmt.Sprintf(`target_info{job="em_metrics", instance=%q, deployment_environment_name="NO_ENV"}`, host), 1)
	written.waitFor(`round(increase(deployment_frequency_total{project_id="shop"}[1m]))`, 4)
}

// startPipeline starts a collector with the settings of config.alloy and returns
// the address on which it listens.
func startPipeline(t *testing.T, a alloy, writeTo string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	const convert = "otelcol.exporter.prometheus.em_metrics"
	config := fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: %q}}}}
processors: {batch: {timeout: %s}}
exporters:
  prometheusremotewrite:
    endpoint: %q
    add_metric_suffixes: %s
    disable_scope_info: %t
    target_info: {enabled: %s}
    resource_to_telemetry_conversion: {enabled: %s}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines: {metrics: {receivers: [otlp], processors: [batch], exporters: [prometheusremotewrite]}}
`, address, a.setting(t, "otelcol.processor.batch.em_metrics", "timeout"), writeTo,
		a.setting(t, convert, "add_metric_suffixes"), a.setting(t, convert, "include_scope_labels") == "false",
		a.setting(t, convert, "include_target_info"), a.setting(t, convert, "resource_to_telemetry_conversion"))
	runCollector(t, config)
	return address
}

func runCollector(t *testing.T, config string) {
	t.Helper()
	c, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(), Factories: factories, DisableGracefulShutdown: true,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: []string{"yaml:" + config}, ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(context.Background()) }()
	t.Cleanup(func() {
		c.Shutdown()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	programtest.Eventually(t, 30*time.Second, func() error {
		if state := c.GetState(); state != otelcol.StateRunning {
			return fmt.Errorf("the collector is in state %s", state)
		}
		return nil
	})
}

func factories() (otelcol.Factories, error) {
	f := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var err error
	if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	if f.Processors, err = otelcol.MakeFactoryMap[processor.Factory](batchprocessor.NewFactory()); err != nil {
		return f, err
	}
	f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](prometheusremotewriteexporter.NewFactory())
	return f, err
}
