package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// watched is em-metrics with the history of releases, and a Prometheus with the
// configuration and the rules of the repository that scrapes it, and one that
// it pushes to.
type watched struct {
	service *programtest.Service
	entries []entry
	scraped *server
	pushed  *server
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{entries: readReleases(t, 7*day, 30*day, 90*day)}
	history := makeHistory(t, w.entries, time.Now())
	w.pushed = startPrometheusIn(t, copied(t, history), repositoryConfig(t, "prometheus-otlp.yml", nil),
		"--web.enable-otlp-receiver", "--storage.tsdb.retention.time=400d")
	w.service = programtest.StartService(t, append(pushTo(w.pushed), "CONFIG="+teamsFile(t, w.entries),
		"DEPLOYMENT_ENVIRONMENT=production", "EM_METRICS_WINDOWS=7d,30d,90d,9000d")...)
	w.scraped = startPrometheusIn(t, copied(t, history), repositoryConfig(t, "prometheus.yml", w.service),
		"--storage.tsdb.retention.time=400d")

	// The last of it happens while they look.
	recent := len(w.entries) - 25
	w.replay(t, w.entries[:recent])
	for _, s := range []*server{w.scraped, w.pushed} {
		s.waitFor("sum(deployment_frequency_total)", float64(count(w.entries[:recent], "deployment")))
		// The rules must have seen it too, or what follows raises no recorded series.
		s.waitFor("sum(project:deployment_frequency_total:max)", float64(count(w.entries[:recent], "deployment")))
		s.waitFor("sum(project:incident_count_total:max)", float64(count(w.entries[:recent], "incident")))
	}
	w.replay(t, w.entries[recent:])
	// An incident that stays open, for the alert about it, where no figure is
	// compared.
	w.service.Post("/incidents", fmt.Sprintf(`{"id": "open", "project_id": %q, "environment": "staging"}`, w.entries[0].Project))
	for _, s := range []*server{w.scraped, w.pushed} {
		s.waitFor("sum(project:deployment_frequency_total:max)", float64(count(w.entries, "deployment")))
		s.waitFor(`sum(dora_deployments{scope="all", window="9000d"})`, float64(count(w.entries, "deployment")))
	}
	return w
}

func count(entries []entry, kind string) (n int) {
	for _, e := range entries {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func (w *watched) replay(t *testing.T, entries []entry) {
	t.Helper()
	if stdout, stderr, code := w.service.Run("replay", writeLines(t, entries)); code != 0 {
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

// repositoryConfig is a configuration of the repository, quickened, with the
// address and the token of the service under test.
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
			t.Fatalf("%s has no %q", name, old)
		}
		config = strings.ReplaceAll(config, old, new)
	}
	return config
}

// Selections that a person may make. What is not named is at All, or at the
// first option.
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
	w := watch(t)
	for name, s := range map[string]*server{"scraped": w.scraped, "pushed": w.pushed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("every expression returns data", func(t *testing.T) {
				t.Parallel()
				for _, d := range readDashboards(t) {
					w.everyExpression(t, d, s, name)
				}
			})
			t.Run("headlines are exact", func(t *testing.T) {
				t.Parallel()
				w.headlines(t, s)
			})
			t.Run("medians of buckets are close", func(t *testing.T) {
				t.Parallel()
				w.medians(t, s)
			})
		})
	}
}

// everyExpression evaluates every expression with every selection. None may
// fail, and each returns data with at least one of them, once there has been
// time for two samples and a step of Grafana's.
func (w *watched) everyExpression(t *testing.T, d dashboard, s *server, path string) {
	t.Helper()
	asked := d.questions(t)
	if len(asked) < 10 {
		t.Errorf("%s has only %d expressions", d.Title, len(asked))
	}
	projects := projectsOf(w.entries)
	for _, selected := range selections(projects) {
		w.ask(t, d, s, selected, asked)
	}
	for deadline := time.Now().Add(90 * time.Second); ; {
		// Not every project has every figure: any will do.
		for _, project := range projects {
			for _, bands := range []string{"2023", "2021"} {
				asked = slices.DeleteFunc(asked, func(q *question) bool { return q.samples > 0 })
				w.ask(t, d, s, selection{"window": {"90d"}, "project": {project}, "bands": {bands}}, asked)
			}
		}
		var without []string
		for _, q := range asked {
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

// question is a query of a panel or an annotation, and how many samples have
// answered it so far.
type question struct {
	target
	where    string
	points   int
	interval string
	samples  int
}

func (d dashboard) questions(t *testing.T) (all []*question) {
	t.Helper()
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all = append(all, &question{target: q, where: p.Title + " " + q.RefID, points: p.MaxDataPoints, interval: p.Interval})
		}
	}
	for _, a := range d.Annotations.List {
		if a.Target == nil {
			continue
		}
		if a.Expr != a.Target.Expr {
			t.Errorf("%s: the annotation %s asks Grafana 10 and later ones for different things", d.Title, a.Name)
		}
		all = append(all, &question{target: *a.Target, where: "annotation " + a.Name})
	}
	return all
}

func (w *watched) ask(t *testing.T, d dashboard, s *server, selected selection, asked []*question) {
	t.Helper()
	mine := selection{}
	for _, v := range d.Templating.List {
		if of, ok := selected[v.Name]; ok {
			mine[v.Name] = of
		}
	}
	c, err := d.variables(s, mine)
	if err != nil {
		t.Fatalf("%s, %v: %v", d.Title, mine, err)
	}
	for _, when := range []span{lastSpan(15 * time.Minute), lastSpan(90 * day)} {
		for _, q := range asked {
			samples, err := s.run(q.Expr, c, q.target, when, when.step(q.points, q.interval, q.Interval))
			if err != nil {
				t.Errorf("%s, %s, %v: %v", d.Title, q.where, mine, err)
			}
			q.samples += samples
		}
	}
}

// scrapedOnly are the figures of the Go runtime and the process, which are not
// pushed. The panels say so.
var scrapedOnly = regexp.MustCompile(`(process_|go_memstats_)\w+`)

// headlines compares the key figures of the overview and of a project, and the
// table of projects, with what the file says.
func (w *watched) headlines(t *testing.T, s *server) {
	t.Helper()
	projects := projectsOf(w.entries)
	overview := readDashboards(t)["em-metrics-overview"]
	one := readDashboards(t)["em-metrics-project"]
	compared := 0
	for label, window := range windows {
		for _, bands := range []string{"2023", "2021"} {
			sets := map[string][]string{"": projects}
			chosenBy := map[string]selection{"": {}}
			for team, members := range teams(projects) {
				sets["team "+team], chosenBy["team "+team] = members, selection{"team": {team}}
			}
			for _, p := range projects {
				sets["project "+p], chosenBy["project "+p] = []string{p}, selection{"project": {p}}
			}
			for name, selected := range chosenBy {
				selected["window"], selected["bands"] = []string{label}, []string{bands}
				want := figuresOf(w.entries, sets[name], window, time.Now())
				compared += w.keys(t, s, overview, selected, want)
				if strings.HasPrefix(name, "project ") {
					compared += w.keys(t, s, one, selected, want)
				}
			}
			compared += w.table(t, s, overview, label, bands)
		}
	}
	if compared < 500 {
		t.Errorf("only %d figures were compared", compared)
	}
}

// keyPanels are the headline panels and the gauge behind each.
var keyPanels = map[string]string{
	"Deployments per day": "dora_deployments_per_day", "Lead time": "dora_lead_time_seconds 0.5",
	"Change failure rate":        "dora_change_failure_ratio",
	"Failed deployment recovery": "dora_failed_deployment_recovery_seconds 0.5",
	"Time to restore":            "dora_time_to_restore_seconds 0.5", "Rework rate": "dora_rework_ratio",
}

func (w *watched) keys(t *testing.T, s *server, d dashboard, selected selection, want figures) (compared int) {
	t.Helper()
	c, err := d.variables(s, selected)
	if err != nil {
		// A project that is too old to be in any window but the longest is in
		// every window of the options, because its counters are there.
		t.Fatalf("%s %v: %v", d.Title, selected, err)
	}
	for title, name := range keyPanels {
		figure, defined := want[name]
		var got []float64
		for _, q := range d.panel(t, title).Targets {
			expression, err := c.fill(q.Expr, nil)
			if err != nil {
				t.Fatal(err)
			}
			vector, err := s.query(expression)
			if err != nil {
				t.Fatal(err)
			}
			for _, sample := range vector {
				got = append(got, float64(sample.Value))
			}
		}
		switch {
		case !defined && len(got) > 0:
			t.Errorf("%s, %s, %v: is %v and should not be there", d.Title, title, selected, got)
		case defined && name == "dora_deployments_per_day" && figure == 0 && len(got) == 0: // nothing in the longest window
		case defined && (len(got) != 1 || !alike(got[0], figure)):
			t.Errorf("%s, %s, %v: is %v, want %v", d.Title, title, selected, got, figure)
		}
		compared++
	}
	return compared
}

// alike allows for the last bit of a floating-point number.
func alike(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b)) }

// tableColumns are the columns of the table of projects, by the gauge in it.
var tableColumns = map[string]string{
	"dora_deployments{": "dora_deployments", "dora_deployments_per_day{": "dora_deployments_per_day",
	"dora_lead_time_seconds{": "dora_lead_time_seconds 0.5", "dora_change_failure_ratio{": "dora_change_failure_ratio",
	"dora_failed_deployment_recovery_seconds{": "dora_failed_deployment_recovery_seconds 0.5",
	"dora_time_to_restore_seconds{":            "dora_time_to_restore_seconds 0.5", "dora_rework_ratio{": "dora_rework_ratio",
}

func (w *watched) table(t *testing.T, s *server, d dashboard, window, bands string) (compared int) {
	t.Helper()
	c, err := d.variables(s, selection{"window": {window}, "bands": {bands}})
	if err != nil {
		t.Fatal(err)
	}
	columns := 0
	for _, q := range d.panel(t, "Projects").Targets {
		for part, name := range tableColumns {
			if !strings.Contains(q.Expr, part) {
				continue
			}
			columns++
			expression, err := c.fill(q.Expr, nil)
			if err != nil {
				t.Fatal(err)
			}
			vector, err := s.query(expression)
			if err != nil {
				t.Fatal(err)
			}
			compared += len(vector)
			for _, sample := range vector {
				project := string(sample.Metric["project_id"])
				want, defined := figuresOf(w.entries, []string{project}, windows[window], time.Now())[name]
				if !defined || !alike(float64(sample.Value), want) {
					t.Errorf("table, %s of %s over %s: is %v, want %v (%v)", name, project, window, sample.Value, want, defined)
				}
			}
		}
	}
	if columns != len(tableColumns) {
		t.Errorf("the table has %d of the %d columns", columns, len(tableColumns))
	}
	return compared
}

// medians compares what the buckets of the histograms say with the exact
// figures. Few samples can be far off, so it looks at all of them together.
func (w *watched) medians(t *testing.T, s *server) {
	t.Helper()
	want := figuresOf(w.entries, projectsOf(w.entries), 9000*day, time.Now())
	for histogram, name := range map[string]string{
		"lead_time_for_changes_seconds": "dora_lead_time_seconds 0.5",
		"time_to_restore_seconds":       "dora_time_to_restore_seconds 0.5",
	} {
		for _, buckets := range []string{histogram + "_bucket", "project:" + histogram + "_bucket:max"} {
			got, err := s.single(fmt.Sprintf("histogram_quantile(0.5, sum by (le) (%s))", buckets))
			if err != nil {
				t.Error(err)
				continue
			}
			if off := math.Abs(got/want[name] - 1); off > 0.1 {
				t.Errorf("the median of %s is %s and exactly %s: %.0f %% off", buckets, seconds(got), seconds(want[name]), 100*off)
			}
		}
	}
}

func seconds(s float64) string {
	return model.Duration(time.Duration(s * float64(time.Second))).String()
}
