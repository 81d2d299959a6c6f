package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// stack is em-metrics with a history of releases, a Prometheus that scrapes it and
// one that it pushes to, both with the configuration and rules of the repository.
type stack struct {
	service *programtest.Service
	entries []entry
	scraped *server
	pushed  *server
}

func startStack(t *testing.T) *stack {
	t.Helper()
	w := &stack{entries: withRareProjects(readReleases(t, day, 7*day, 30*day, 90*day))}
	history := makeHistory(t, w.entries, time.Now(), "before")
	w.pushed = startPrometheusIn(t, copyData(t, history), repositoryConfig(t, "prometheus-otlp.yml", nil),
		"--web.enable-otlp-receiver", "--storage.tsdb.retention.time=400d")
	w.service = programtest.StartService(t, append(pushTo(w.pushed), "CONFIG="+teamsFile(t, w.entries),
		"DEPLOYMENT_ENVIRONMENT=production", "EM_METRICS_WINDOWS=1d,7d,30d,90d,9000d")...)
	w.scraped = startPrometheusIn(t, copyData(t, history), repositoryConfig(t, "prometheus.yml", w.service),
		"--storage.tsdb.retention.time=400d")

	// The newest entries arrive while both Prometheus servers are running.
	recent := len(w.entries) - 25
	replay(t, w.service, w.entries[:recent])
	for _, s := range []*server{w.scraped, w.pushed} {
		s.waitFor("sum(deployment_frequency_total)", float64(count(w.entries[:recent], "deployment")))
		// The rules must have seen the older entries too, or the newer ones do not
		// increase the recorded series.
		s.waitFor("sum(project:deployment_frequency_total)", float64(count(w.entries[:recent], "deployment")))
		s.waitFor("sum(project:incident_count_total)", float64(count(w.entries[:recent], "incident")))
	}
	replay(t, w.service, w.entries[recent:])
	// An open incident, for the alert, in an environment without comparisons.
	w.service.Post("/incidents", fmt.Sprintf(`{"id": "open", "project_id": %q, "environment": "staging"}`, w.entries[0].Project))
	for _, s := range []*server{w.scraped, w.pushed} {
		s.waitFor("sum(project:deployment_frequency_total)", float64(count(w.entries, "deployment")))
		s.waitFor(`sum(dora_deployments{scope="all", window="9000d"})`, float64(count(w.entries, "deployment")))
	}
	return w
}

// withRareProjects adds a project whose only incident is not linked to a deployment,
// and one with two incidents on one deployment: the first to start is the last to be
// restored.
func withRareProjects(entries []entry) []entry {
	deployed := time.Now().Add(-6 * day).Truncate(time.Second)
	after := func(hours time.Duration) time.Time { return deployed.Add(hours * time.Hour) }
	entries = append(entries,
		entry{Kind: "deployment", Project: "unlinked", ID: "1", FirstCommitAt: after(-24), DeployedAt: deployed},
		entry{Kind: "incident", Project: "unlinked", ID: "1", StartedAt: after(1), RestoredAt: after(2)},
		entry{Kind: "deployment", Project: "twice", ID: "1", FirstCommitAt: after(-24), DeployedAt: deployed},
		entry{Kind: "incident", Project: "twice", ID: "1", DeploymentID: "1", StartedAt: after(1), RestoredAt: after(120)},
		entry{Kind: "incident", Project: "twice", ID: "2", DeploymentID: "1", StartedAt: after(2), RestoredAt: after(3)})
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at().Compare(b.at()) })
	return entries
}

func count(entries []entry, kind string) (n int) {
	for _, e := range entries {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func replay(t *testing.T, service *programtest.Service, entries []entry) {
	t.Helper()
	if stdout, stderr, code := service.Run("replay", writeLines(t, entries)); code != 0 {
		t.Fatalf("replay ended with exit code %d\n%s%s", code, stdout, stderr)
	}
}

func teamsFile(t *testing.T, entries []entry) string {
	t.Helper()
	config := map[string]any{}
	for team, projects := range teams(projectsOf(entries)) {
		config[team] = map[string]any{"projects": projects}
	}
	content, err := json.Marshal(map[string]any{"teams": config})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "teams.json")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// repositoryConfig returns a configuration of the repository with shorter
// intervals, and with the address and token of the service under test.
func repositoryConfig(t *testing.T, name string, s *programtest.Service) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../prometheus", name))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("../prometheus/rules")
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(programtest.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{
		"scrape_interval: 15s": "scrape_interval: 1s", "evaluation_interval: 30s": "evaluation_interval: 1s",
		"rules/*.yml": rules + "/*.yml", `["localhost:9090"]`: "[]",
	}
	if s != nil {
		replace["em-metrics:3000"] = s.Address
		replace["/run/secrets/em_metrics_token"] = secret
	}
	config := string(content)
	for old, new := range replace {
		if !strings.Contains(config, old) {
			t.Fatalf("%s does not contain %q", name, old)
		}
		config = strings.ReplaceAll(config, old, new)
	}
	return config
}

// selections returns selections that a user may make, by name. A variable that is
// missing is set to All, or to its first option.
func selections(projects []string) map[string]selection {
	return map[string]selection{
		"all":          {"window": {"90d"}, "bands": {"2023"}},
		"all of 2021":  {"window": {"90d"}, "bands": {"2021"}},
		"ever":         {"window": {"9000d"}, "bands": {"2023"}},
		"ever of 2021": {"window": {"9000d"}, "bands": {"2021"}},
		"a team":       {"window": {"30d"}, "team": {"blue"}, "bands": {"2023"}},
		"two teams":    {"window": {"7d"}, "team": {"blue", "green"}, "bands": {"2021"}},
		"a project":    {"window": {"90d"}, "project": {projects[0]}, "bands": {"2023"}},
		"two projects": {"window": {"90d"}, "project": {projects[0], projects[1]}, "bands": {"2023"}},
	}
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	w := startStack(t)
	for name, s := range map[string]*server{"scraped": w.scraped, "pushed": w.pushed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("every expression returns data", func(t *testing.T) {
				t.Parallel()
				for _, d := range readDashboards(t) {
					w.checkExpressions(t, d, s, name)
				}
			})
			t.Run("headlines are exact", func(t *testing.T) {
				t.Parallel()
				w.checkHeadlines(t, s)
			})
			t.Run("medians of histograms are close", func(t *testing.T) {
				t.Parallel()
				w.checkMedians(t, s)
			})
		})
	}
}

// checkExpressions evaluates every expression with every selection. None may fail,
// and each must return data for at least one selection, once there has been time
// for two samples and one of Grafana's steps.
func (w *stack) checkExpressions(t *testing.T, d dashboard, s *server, path string) {
	t.Helper()
	queries := d.queries(t)
	if len(queries) < 10 {
		t.Errorf("%s has only %d expressions", d.Title, len(queries))
	}
	projects := projectsOf(w.entries)
	for _, selected := range selections(projects) {
		w.evaluate(t, d, s, selected, queries)
	}
	for deadline := time.Now().Add(90 * time.Second); ; {
		// Not every project has every figure, so any project counts.
		for _, project := range projects {
			for _, bands := range []string{"2023", "2021"} {
				queries = slices.DeleteFunc(queries, func(q *query) bool { return q.samples > 0 })
				w.evaluate(t, d, s, selection{"window": {"90d"}, "project": {project}, "bands": {bands}}, queries)
			}
		}
		var without []string
		for _, q := range queries {
			// A figure has either risen or fallen.
			if q.RefID == "up" || q.RefID == "down" {
				continue
			}
			if q.samples == 0 && !(path == "pushed" && scrapedOnly.MatchString(q.Expr)) {
				without = append(without, q.where+": "+q.Expr)
			}
		}
		if len(without) == 0 || t.Failed() {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s: no data for\n%s", d.Title, strings.Join(without, "\n"))
			return
		}
	}
}

// query is a query of a panel or an annotation, and the number of samples that it
// has returned so far.
type query struct {
	target
	where    string
	points   int
	interval string
	samples  int
}

// queries returns every query of a dashboard.
func (d dashboard) queries(t *testing.T) (all []*query) {
	t.Helper()
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all = append(all, &query{target: q, where: p.Title + " " + q.RefID, points: p.MaxDataPoints, interval: p.Interval})
		}
	}
	for _, a := range d.Annotations.List {
		if a.Target == nil {
			continue
		}
		if a.Expr != a.Target.Expr {
			t.Errorf("%s: the annotation %s has different expressions for Grafana 10 and later versions", d.Title, a.Name)
		}
		all = append(all, &query{target: *a.Target, where: "annotation " + a.Name})
	}
	return all
}

func (w *stack) evaluate(t *testing.T, d dashboard, s *server, selected selection, queries []*query) {
	t.Helper()
	own := selection{}
	for _, v := range d.Templating.List {
		if values, ok := selected[v.Name]; ok {
			own[v.Name] = values
		}
	}
	c, err := d.variables(s, own)
	if err != nil {
		t.Fatalf("%s, %v: %v", d.Title, own, err)
	}
	for _, when := range []span{lastSpan(15 * time.Minute), lastSpan(90 * day)} {
		for _, q := range queries {
			samples, err := s.run(q.Expr, c, q.target, when, when.step(q.points, q.interval, q.Interval))
			if err != nil {
				t.Errorf("%s, %s, %v: %v", d.Title, q.where, own, err)
			}
			q.samples += samples
		}
	}
}

// scrapedOnly matches the metrics of the Go runtime and the process, which are not
// pushed. The panels mention that.
var scrapedOnly = regexp.MustCompile(`(process_|go_memstats_)\w+`)
