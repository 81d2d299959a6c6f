package e2e

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// checkHeadlines compares the key figures of the overview and of each project, and
// the table of projects, with those computed from the file.
func (w *stack) checkHeadlines(t *testing.T, s *server) {
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
				// The rows repeat by environment.
				selected["environment"] = []string{"production"}
				selected["window"], selected["bands"] = []string{label}, []string{bands}
				want := figuresOf(w.entries, sets[name], window, time.Now())
				compared += w.checkKeyPanels(t, s, overview, selected, want)
				compared += w.checkLevels(t, s, overview, selected, sets[name])
				if strings.HasPrefix(name, "project ") {
					compared += w.checkKeyPanels(t, s, one, selected, want)
				}
			}
			compared += w.checkTable(t, s, overview, label, bands)
		}
	}
	if compared < 500 {
		t.Errorf("only %d figures were compared", compared)
	}
}

// keyPanels maps the headline panels to the figure that each shows.
var keyPanels = map[string]string{
	"Deployments per day": "dora_deployments_per_day", "Change lead time": "dora_lead_time_seconds 0.5",
	"Change fail rate":                "dora_change_failure_ratio",
	"Failed deployment recovery time": "dora_failed_deployment_recovery_seconds 0.5",
	"Time to restore":                 "dora_time_to_restore_seconds 0.5", "Deployment rework rate": "dora_rework_ratio",
}

func (w *stack) checkKeyPanels(t *testing.T, s *server, d dashboard, selected selection, want figures) (compared int) {
	t.Helper()
	c, err := d.variables(s, selected)
	if err != nil {
		// An option exists for every project, also for one that was active only in
		// the longest window, because its counters exist.
		t.Fatalf("%s %v: %v", d.Title, selected, err)
	}
	for title, name := range keyPanels {
		figure, defined := want[name]
		if name == "dora_change_failure_ratio" && want.unlinked() {
			figure = want["dora_incidents"] // shown as a text
		}
		var got []float64
		for _, q := range d.panel(t, title).Targets {
			if q.RefID == "up" || q.RefID == "down" || q.RefID == "level" { // shown beside the figure
				continue
			}
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
			colored := q.RefID == "2023" || q.RefID == "2021"
			if colored && len(vector) > 0 && vector[0].Metric["scope"] != "project" {
				t.Errorf("%s, %s, %v: several projects have the color of a level", d.Title, title, selected)
			}
		}
		switch {
		case !defined && len(got) > 0:
			t.Errorf("%s, %s, %v: is %v, want no value", d.Title, title, selected, got)
		case defined && name == "dora_deployments_per_day" && figure == 0 && len(got) == 0: // inactive even in the longest window
		case defined && (len(got) != 1 || !equal(got[0], figure)):
			t.Errorf("%s, %s, %v: is %v, want %v", d.Title, title, selected, got, figure)
		}
		compared++
	}
	return compared
}

// checkLevels compares the table of levels with the levels of the projects.
func (w *stack) checkLevels(t *testing.T, s *server, d dashboard, selected selection, projects []string) (compared int) {
	t.Helper()
	c, err := d.variables(s, selected)
	if err != nil {
		t.Fatalf("%s %v: %v", d.Title, selected, err)
	}
	// The rule that counts the projects may be one evaluation behind.
	programtest.Eventually(t, 10*time.Second, func() error {
		return compareLevels(s, c, d.panel(t, "Projects at each level"), selected, projects)
	})
	return 1
}

func compareLevels(s *server, c values, p panel, selected selection, projects []string) error {
	shown := map[string]float64{} // by figure and level
	for _, q := range p.Targets {
		expression, err := c.fill(q.Expr, nil)
		if err != nil {
			return err
		}
		vector, err := s.query(expression)
		if err != nil {
			return err
		}
		for _, sample := range vector {
			shown[string(sample.Metric["key"])+" "+q.RefID] += float64(sample.Value)
		}
	}
	levels, err := s.query(fmt.Sprintf(`dora:level{bands=%q, window=%q, environment="production"}`,
		selected["bands"][0], selected["window"][0]))
	if err != nil {
		return err
	}
	want := map[string]float64{}
	for _, level := range levels {
		if !slices.Contains(projects, string(level.Metric["project_id"])) {
			continue
		}
		for i, name := range []string{"low", "medium", "high", "elite"} {
			key := string(level.Metric["key"]) + " " + name
			if want[key] += 0; int(level.Value) == i+1 {
				want[key]++
			}
		}
	}
	if !maps.Equal(shown, want) {
		return fmt.Errorf("levels, %v: are %v, want %v", selected, shown, want)
	}
	return nil
}

// equal reports whether two figures are equal up to rounding.
func equal(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Max(math.Abs(a), math.Abs(b)) }

// tableColumns maps the gauges in the table of projects to the figure of their
// column.
var tableColumns = map[string]string{
	"dora_deployments{": "dora_deployments", "dora_deployments_per_day{": "dora_deployments_per_day",
	"dora_lead_time_seconds{": "dora_lead_time_seconds 0.5", "dora_change_failure_ratio{": "dora_change_failure_ratio",
	"dora_failed_deployment_recovery_seconds{": "dora_failed_deployment_recovery_seconds 0.5",
	"dora_time_to_restore_seconds{":            "dora_time_to_restore_seconds 0.5", "dora_rework_ratio{": "dora_rework_ratio",
}

func (w *stack) checkTable(t *testing.T, s *server, d dashboard, window, bands string) (compared int) {
	t.Helper()
	c, err := d.variables(s, selection{"environment": {"production"}, "window": {window}, "bands": {bands}})
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]bool{} // some have a query for each report
	for _, q := range d.panel(t, "Projects").Targets {
		for part, name := range tableColumns {
			if !strings.Contains(q.Expr, part) {
				continue
			}
			columns[name] = true
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
				all := figuresOf(w.entries, []string{project}, windows[window], time.Now())
				want, defined := all[name]
				defined = defined && !(name == "dora_change_failure_ratio" && all.unlinked())
				if !defined || !equal(float64(sample.Value), want) {
					t.Errorf("table, %s of %s over %s: is %v, want %v (%v)", name, project, window, sample.Value, want, defined)
				}
			}
		}
	}
	if len(columns) != len(tableColumns) {
		t.Errorf("the table has the columns %v, want %v", columns, tableColumns)
	}
	return compared
}

// checkMedians compares the medians estimated from histogram buckets with the exact
// ones. With few samples the estimate can be far off, so it uses all projects.
func (w *stack) checkMedians(t *testing.T, s *server) {
	t.Helper()
	want := figuresOf(w.entries, projectsOf(w.entries), 9000*day, time.Now())
	for histogram, name := range map[string]string{
		"lead_time_for_changes_seconds": "dora_lead_time_seconds 0.5",
		"time_to_restore_seconds":       "dora_time_to_restore_seconds 0.5",
	} {
		for _, buckets := range []string{histogram + "_bucket", "project:" + histogram + "_bucket"} {
			got, err := s.single(fmt.Sprintf("histogram_quantile(0.5, sum by (le) (%s))", buckets))
			if err != nil {
				t.Error(err)
				continue
			}
			if off := math.Abs(got/want[name] - 1); off > 0.1 {
				t.Errorf("the median of %s is %s, want %s: %.0f%% off", buckets, formatSeconds(got), formatSeconds(want[name]), 100*off)
			}
		}
	}
}

func formatSeconds(s float64) string {
	return model.Duration(time.Duration(s * float64(time.Second))).String()
}
