package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// The dashboards show production where it is set, otherwise every environment, and
// say why.
func TestEnvironmentsOfTheDashboards(t *testing.T) {
	t.Parallel()
	const deployments = `
deployment_started_total{team_id="blue",project_id="shop",environment="live"} 1
deployment_started_total{team_id="blue",project_id="shop",environment="staging"} 1
deployment_started_total{team_id="blue",project_id="web",environment="staging"} 1
`
	for name, test := range map[string]struct {
		metrics string
		rules   int // samples of environment:production:bool
		show    string
		want    string
		note    string
	}{
		"set": {deployments + `
em_metrics_environment_info{environment="live",production="true"} 1
em_metrics_environment_info{environment="staging",production="false"} 1
`, 2, "1", "live", "Only production"},
		"set, but all are selected": {deployments + `
em_metrics_environment_info{environment="live",production="true"} 1
em_metrics_environment_info{environment="staging",production="false"} 1
`, 2, "0", "(live|staging)", "Every environment"},
		"not set": {deployments + `
em_metrics_environment_info{environment="live",production="false"} 1
em_metrics_environment_info{environment="staging",production="false"} 1
`, 0, "1", "(live|staging)", "No environment counts"},
		"unknown to the service": {deployments, 0, "1", "(live|staging)", "No environment counts"},
		"the only environment": {`
deployment_started_total{team_id="blue",project_id="shop",environment="NO_ENV"} 1
`, 0, "1", "NO_ENV", "All figures are of the only environment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startPrometheusOf(t, `
dora_deployments{window="30d",environment="live"} 1
dora_deployments{window="30d",environment="NO_ENV"} 1
`+test.metrics)
			s.waitFor("count(deployment_started_total)", float64(strings.Count(test.metrics, "deployment_started_total")))
			s.waitFor("count(environment:production:bool) or vector(0)", float64(test.rules))
			for _, d := range readDashboards(t) {
				if d.UID == "em-metrics-self" {
					continue
				}
				c, err := d.variables(s, selection{"show": {test.show}})
				if err != nil {
					t.Fatalf("%s: %v", d.Title, err)
				}
				if got := c["environment"].expression; got != test.want {
					t.Errorf("%s shows the environments %s, want %s", d.Title, got, test.want)
				}
				if got := c["note"].text; !strings.HasPrefix(got, test.note) {
					t.Errorf("%s says %q, want %q", d.Title, got, test.note)
				}
			}
		})
	}
}

// startPrometheusOf starts a Prometheus that scrapes the given metrics and evaluates
// the rules of the repository.
func startPrometheusOf(t *testing.T, metrics string) *server {
	t.Helper()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, metrics)
	}))
	t.Cleanup(target.Close)
	rules, err := filepath.Abs("../prometheus/rules")
	if err != nil {
		t.Fatal(err)
	}
	return startPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["%s/*.yml"]
scrape_configs: [{job_name: em_metrics, static_configs: [{targets: [%q]}]}]
`, rules, strings.TrimPrefix(target.URL, "http://")))
}
