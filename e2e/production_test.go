package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// The dashboards show production where the service is configured so, otherwise every
// environment, and say why.
func TestEnvironmentsOfTheDashboards(t *testing.T) {
	t.Parallel()
	several := []string{"shop in live", "shop in staging", "web in staging"}
	for name, test := range map[string]struct {
		production  string // in the CONFIG file
		deployments []string
		rules       float64 // samples of environment:production:bool
		show        string
		want        string
		note        string
	}{
		"set":                       {`["live"]`, several, 2, "1", "live", "Only production"},
		"set as a pattern":          {`["li*"]`, several, 2, "1", "live", "Only production"},
		"set, but all are selected": {`["live"]`, several, 2, "0", "(live|staging)", "Every environment"},
		"set to one that has none":  {`["prod"]`, several, 0, "1", "(live|staging)", "No environment counts"},
		"not set":                   {`[]`, several, 0, "1", "(live|staging)", "No environment counts"},
		"the only environment":      {`[]`, []string{"shop in NO_ENV"}, 0, "1", "NO_ENV", "All figures are of the only environment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(config, []byte(`{"teams": {"blue": {"users": ["ann"]}}, "production": `+test.production+"}"), 0o600); err != nil {
				t.Fatal(err)
			}
			service := programtest.StartService(t, "CONFIG="+config, "EM_METRICS_SERIES_HOLD=0")
			for _, deployment := range test.deployments {
				project, environment, _ := strings.Cut(deployment, " in ")
				service.Post("/deployments/1/deployed", `{"create_if_not_exists": true, "project_id": "`+project+`",
					"environment": "`+environment+`", "first_commit_at": "2026-01-31", "user": "ann"}`)
			}
			s := startPrometheus(t, repositoryConfig(t, "prometheus.yml", service))
			s.waitFor(`count(dora_deployments{scope="project", window="30d"})`, float64(len(test.deployments)))
			s.waitFor("count(environment:production:bool) or vector(0)", test.rules)
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
