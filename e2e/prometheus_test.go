package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// server is a running Prometheus.
type server struct {
	t       *testing.T
	process *programtest.Process
	api     prometheus.API
	address string
}

// startPrometheus starts a real Prometheus, which must be in the PATH.
func startPrometheus(t *testing.T, config string, args ...string) *server {
	t.Helper()
	return startPrometheusIn(t, t.TempDir(), config, args...)
}

// startPrometheusIn starts a Prometheus that keeps its data in dir/data, where data
// may exist already.
func startPrometheusIn(t *testing.T, dir, config string, args ...string) *server {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("Prometheus 3 is required: %v (.ci/watch builds it)", err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	process := programtest.Start(t, path, append([]string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0",
	}, args...), os.Environ())
	s := &server{t: t, process: process, address: process.WaitFor(`msg="Listening on".* address=(127\.0\.0\.1:\d+)`)}
	client, err := api.NewClient(api.Config{Address: "http://" + s.address})
	if err != nil {
		t.Fatal(err)
	}
	s.api = prometheus.NewAPI(client)
	return s
}

// scrapeConfig returns a configuration that scrapes a service every second.
func scrapeConfig(s *programtest.Service) string {
	return fmt.Sprintf(`
scrape_configs:
  - job_name: em-metrics
    scrape_interval: 1s
    authorization: {credentials: %s}
    static_configs: [{targets: [%q]}]
`, programtest.Token, s.Address)
}

// query evaluates an expression now.
func (s *server) query(expression string) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	value, _, _, err := s.api.Query(ctx, expression, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("%s returns a %s, want a vector", expression, value.Type())
	}
	return vector, nil
}

// single evaluates an expression that must have exactly one result.
func (s *server) single(expression string) (float64, error) {
	vector, err := s.query(expression)
	if err != nil {
		return 0, err
	}
	if len(vector) != 1 {
		return 0, fmt.Errorf("%s has %d results: %v", expression, len(vector), vector)
	}
	return float64(vector[0].Value), nil
}

// waitFor waits until an expression has exactly one result, with the given value.
func (s *server) waitFor(expression string, want float64) {
	s.t.Helper()
	programtest.Eventually(s.t, 60*time.Second, func() error {
		got, err := s.single(expression)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %v, want %v", expression, got, want)
		}
		return err
	})
}

// series returns the current series of the service, by name and labels without
// those of the target. It normalizes the bounds of buckets, because scraping and
// pushing format them differently.
func (s *server) series() (map[string]float64, error) {
	vector, err := s.query(`{__name__=~"(deployment|lead_time|change_failure|incident|time_to|em_metrics|dora)_.*"}`)
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, sample := range vector {
		labels := maps.Clone(sample.Metric)
		delete(labels, "job")
		delete(labels, "instance")
		if le, ok := labels["le"]; ok {
			bound, err := strconv.ParseFloat(string(le), 64)
			if err != nil {
				return nil, fmt.Errorf("bucket bound of %s: %w", sample.Metric, err)
			}
			labels["le"] = model.LabelValue(strconv.FormatFloat(bound, 'f', -1, 64))
		}
		values[labels.String()] = float64(sample.Value)
	}
	return values, nil
}
