package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// TestDashboardsWithoutData evaluates every expression where there is nothing, or
// nothing recent, to show: none may fail, and no variable may be empty.
func TestDashboardsWithoutData(t *testing.T) {
	t.Parallel()
	deployed := func(ago time.Duration) string {
		at := time.Now().Add(-ago).UTC().Format(time.RFC3339)
		return fmt.Sprintf(`{"project_id": "shop", "create_if_not_exists": true, "first_commit_at": %q, "deployed_at": %q}`, at, at)
	}
	for name, body := range map[string]string{
		"empty": "", "last event a year ago": deployed(370 * day), "fresh": deployed(time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=0")
			if body != "" {
				service.Post("/deployments/1/deployed", body)
			}
			s := startPrometheus(t, repositoryConfig(t, "prometheus.yml", service))
			s.waitFor("count(em_metrics_build_info)", 1)
			if body != "" {
				s.waitFor("count(project:deployment_frequency_total)", 1)
			}
			for _, d := range readDashboards(t) {
				checkWithoutData(t, d, s)
			}
		})
	}
}

func checkWithoutData(t *testing.T, d dashboard, s *server) {
	t.Helper()
	chosen, err := d.variables(s, nil)
	if err != nil {
		t.Errorf("%s: %v", d.Title, err)
		return
	}
	// Grafana inserts an empty text while it has no options.
	empty := values{}
	for _, v := range d.Templating.List {
		empty[v.Name] = chosen[v.Name]
		if v.Type == "query" {
			empty[v.Name] = value{}
		}
	}
	when := lastSpan(90 * day)
	for _, q := range d.queries(t) {
		for _, c := range []values{chosen, empty} {
			if _, err := s.run(q.Expr, c, q.target, when, when.step(q.points, q.interval, q.Interval)); err != nil {
				t.Errorf("%s, %s: %v", d.Title, q.where, err)
			}
		}
	}
}
