package exporter_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dbtest"
	"github.com/em-metrics/em-metrics/exporter"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// windowed is a store and its exporter, at a time that a test sets.
type windowed struct {
	t        testing.TB
	now      *dbtest.Clock
	store    *db.Store
	exporter *exporter.Exporter
}

func newWindowed(t testing.TB, o exporter.Options) *windowed {
	t.Helper()
	w := &windowed{t: t, now: dbtest.NewClock(noon)}
	if o.WindowPatience == 0 {
		o.WindowPatience = time.Minute // so that a slow machine changes nothing
	}
	var err error
	w.store, err = db.Open(context.Background(), filepath.Join(t.TempDir(), "windows.db"),
		db.Options{Now: w.now.Now})
	if err != nil {
		t.Fatal(err)
	}
	if w.exporter, err = exporter.New(context.Background(), w.store, o); err != nil {
		t.Fatal(err)
	}
	if err := w.exporter.CatchUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.exporter.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *windowed) do(commands ...db.Command) {
	w.t.Helper()
	if _, err := w.store.Do(context.Background(), commands...); err != nil {
		w.t.Fatal(err)
	}
}

// deploy records a deployment that was deployed so long ago, after an hour of
// lead time and ten minutes of work.
func (w *windowed) deploy(project, team, id string, ago time.Duration) {
	w.t.Helper()
	deployed := noon.Add(-ago)
	key := db.Key{Project: project, Environment: "production", ID: id}
	w.do(db.StartDeployment{
		Key: key, FirstCommitAt: deployed.Add(-time.Hour), DeployStartAt: deployed.Add(-10 * time.Minute),
		Team: func(string) string { return team },
	}, db.FinishDeployment{Ref: db.Ref{ID: id, Project: project}, DeployedAt: deployed})
}

// series are the lines of /metrics that begin with dora_, without what names
// the process.
func (w *windowed) series() (lines []string) {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.exporter.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.Code != 200 {
		w.t.Fatal(answer.Code, err)
	}
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "dora_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// families are the gauges of the windows with their help.
func (w *windowed) families() string {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.exporter.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var kept strings.Builder
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), "dora_") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func (w *windowed) has(line string) bool {
	w.t.Helper()
	return slices.Contains(w.series(), line)
}

const week, month = 7 * 24 * time.Hour, 30 * 24 * time.Hour

func TestWindowsShowTheFiguresOfTheStore(t *testing.T) {
	w := newWindowed(t, exporter.Options{Windows: []time.Duration{month, week, week}})
	w.deploy("shop", "blue", "1", 3*24*time.Hour)
	w.deploy("shop", "blue", "2", 20*24*time.Hour)
	w.deploy("api", "blue", "1", 20*24*time.Hour)
	w.do(db.OpenIncident{
		Key: db.Key{Project: "shop", Environment: "production", ID: "a"}, DeploymentID: "2",
		StartedAt: noon.Add(-20*24*time.Hour + 30*time.Minute), RestoredAt: noon.Add(-time.Hour),
		Team: func(string) string { return "blue" },
	})
	got := w.series()
	for _, want := range []string{
		`dora_deployments{environment="production",project_id="shop",scope="project",window="7d"} 1`,
		`dora_deployments{environment="production",project_id="shop",scope="project",window="30d"} 2`,
		`dora_deployments{environment="production",project_id="api",scope="project",window="7d"} 0`,
		`dora_deployments{environment="production",scope="team",team_id="blue",window="30d"} 3`,
		`dora_deployments{environment="production",scope="all",window="30d"} 3`,
		`dora_deployments_per_day{environment="production",scope="all",window="30d"} 0.1`,
		`dora_deployment_days{environment="production",scope="all",window="30d"} 2`,
		`dora_failed_deployments{environment="production",scope="all",window="30d"} 1`,
		`dora_change_failure_ratio{environment="production",project_id="shop",scope="project",window="30d"} 0.5`,
		`dora_change_failure_ratio{environment="production",project_id="shop",scope="project",window="7d"} 0`,
		`dora_rework_ratio{environment="production",scope="all",window="30d"} 0`,
		`dora_lead_time_seconds{environment="production",quantile="0.5",scope="all",window="30d"} 3600`,
		`dora_lead_time_seconds{environment="production",quantile="0.9",scope="all",window="30d"} 3600`,
		`dora_lead_time_samples{environment="production",scope="all",window="30d"} 3`,
		`dora_deployment_duration_seconds{environment="production",quantile="0.5",scope="all",window="7d"} 600`,
		`dora_deployment_duration_samples{environment="production",scope="all",window="7d"} 1`,
		`dora_failed_deployment_recovery_seconds{environment="production",quantile="0.5",scope="all",window="7d"} 1.7226e+06`,
		`dora_failed_deployment_recovery_samples{environment="production",scope="all",window="7d"} 1`,
		`dora_time_to_restore_seconds{environment="production",quantile="0.9",scope="team",team_id="blue",window="7d"} 1.7226e+06`,
		`dora_time_to_restore_samples{environment="production",scope="all",window="7d"} 1`,
		`dora_time_to_detect_seconds{environment="production",quantile="0.5",scope="all",window="30d"} 1800`,
		`dora_time_to_detect_samples{environment="production",scope="all",window="7d"} 0`,
		`dora_incidents{environment="production",scope="all",window="30d"} 1`,
		`dora_incidents{environment="production",scope="all",window="7d"} 0`,
		`dora_incidents_open{environment="production",scope="all"} 0`,
		`dora_deployments_unfinished{environment="production",scope="all",window="30d"} 0`,
		`dora_series_dropped 0`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, line := range got {
		for _, absent := range []string{
			`dora_change_failure_ratio{environment="production",project_id="api",scope="project",window="7d"}`,
			`dora_lead_time_seconds{environment="production",project_id="api",quantile="0.5",scope="project",window="7d"}`,
			`dora_time_to_detect_seconds{environment="production",quantile="0.5",scope="all",window="7d"}`,
			`otel_scope`,
		} {
			if strings.Contains(line, absent) {
				t.Errorf("undefined, and yet there is %s", line)
			}
		}
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
	compareGolden(t, "testdata/windows.txt", w.families())
}

func TestWindowsShowALateEventAtOnce(t *testing.T) {
	w := newWindowed(t, exporter.Options{Windows: []time.Duration{90 * 24 * time.Hour}})
	w.deploy("shop", "", "new", time.Hour)
	if !w.has(`dora_deployments{environment="production",project_id="shop",scope="project",window="90d"} 1`) {
		t.Fatal(w.series())
	}
	w.deploy("shop", "", "imported", 89*24*time.Hour)
	if !w.has(`dora_deployments{environment="production",project_id="shop",scope="project",window="90d"} 2`) {
		t.Error("an import of old deployments does not show: ", w.series())
	}
}

func TestWindowsSlideWithoutAnEvent(t *testing.T) {
	w := newWindowed(t, exporter.Options{Windows: []time.Duration{week}})
	w.deploy("shop", "", "1", week-30*time.Second)
	in := `dora_deployments{environment="production",project_id="shop",scope="project",window="7d"} 1`
	if !w.has(in) {
		t.Fatal(w.series())
	}
	w.now.Advance(59 * time.Second)
	if !w.has(in) {
		t.Error("computed again within a minute and without an event")
	}
	w.now.Advance(2 * time.Second)
	if lines := w.series(); len(lines) != 1 || lines[0] != "dora_series_dropped 0" {
		t.Error("what has slid out of the window still shows: ", lines)
	}
}

func TestWindowsLeaveOutTheSmallestBeyondTheLimit(t *testing.T) {
	w := newWindowed(t, exporter.Options{Windows: []time.Duration{week}, WindowSeriesLimit: 66})
	for project := range 5 {
		for id := range project + 1 {
			w.deploy(fmt.Sprint("p", project), "", fmt.Sprint(id), time.Hour)
		}
	}
	lines := w.series()
	shown := map[string]bool{}
	for _, line := range lines {
		if _, after, ok := strings.Cut(line, `project_id="`); ok {
			shown[after[:2]] = true
		}
	}
	if !shown["p4"] || !shown["p3"] || shown["p2"] || shown["p1"] || shown["p0"] {
		t.Errorf("shown %v, want the two with the most deployments", shown)
	}
	// Of each project: nine gauges, six numbers of samples, open incidents,
	// and two quantiles of two durations.
	if !slices.Contains(lines, "dora_series_dropped 60") || len(lines) != 3*20+1 {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

// TestWindowsBeyondTheLabelSetLimitAreCountedTogether has two projects with a place,
// which are the first two that anything was recorded of, and three without one. The
// figures of all and of the teams are exact; a restart changes nothing.
func TestWindowsBeyondTheLabelSetLimitAreCountedTogether(t *testing.T) {
	options := exporter.Options{Windows: []time.Duration{week}, LabelSetLimit: 2}
	w := newWindowed(t, options)
	for project := range 5 { // the later the project, the more and the older its deployments
		for id := range project + 1 {
			team := []string{"red", "blue"}[project%2]
			w.deploy(fmt.Sprint("p", project), team, fmt.Sprint(id), time.Duration(project*10+id)*time.Hour)
		}
	}
	check := func(when string, w *windowed) {
		t.Helper()
		got := w.series()
		var shown []string
		for _, line := range got {
			if strings.HasPrefix(line, "dora_deployments{") || strings.HasPrefix(line, "dora_lead_time_seconds{") && strings.Contains(line, `"0.5"`) ||
				strings.Contains(line, "overflow") {
				shown = append(shown, line)
			}
		}
		const overflow = `{otel_metric_overflow="true",scope="overflow"`
		want := []string{
			`dora_deployment_days` + overflow + `,window="7d"} 2`,
			`dora_deployment_duration_samples` + overflow + `,window="7d"} 12`,
			`dora_deployments` + overflow + `,window="7d"} 12`,
			`dora_deployments{environment="production",scope="all",window="7d"} 15`,
			`dora_deployments{environment="production",project_id="p0",scope="project",window="7d"} 1`,
			`dora_deployments{environment="production",project_id="p1",scope="project",window="7d"} 2`,
			`dora_deployments{environment="production",scope="team",team_id="blue",window="7d"} 6`,
			`dora_deployments{environment="production",scope="team",team_id="red",window="7d"} 9`,
			`dora_commit_lead_time_samples` + overflow + `,window="7d"} 0`,
			`dora_deployments_aborted` + overflow + `,window="7d"} 0`,
			`dora_deployments_unfinished` + overflow + `,window="7d"} 0`,
			`dora_failed_deployment_recovery_samples` + overflow + `,window="7d"} 0`,
			`dora_failed_deployments` + overflow + `,window="7d"} 0`,
			`dora_incidents` + overflow + `,window="7d"} 0`,
			`dora_incidents_open` + overflow + `} 0`,
			`dora_lead_time_samples` + overflow + `,window="7d"} 12`,
			`dora_lead_time_seconds{environment="production",quantile="0.5",scope="all",window="7d"} 3600`,
			`dora_lead_time_seconds{environment="production",project_id="p0",quantile="0.5",scope="project",window="7d"} 3600`,
			`dora_lead_time_seconds{environment="production",project_id="p1",quantile="0.5",scope="project",window="7d"} 3600`,
			`dora_lead_time_seconds{environment="production",quantile="0.5",scope="team",team_id="blue",window="7d"} 3600`,
			`dora_lead_time_seconds{environment="production",quantile="0.5",scope="team",team_id="red",window="7d"} 3600`,
			`dora_time_to_detect_samples` + overflow + `,window="7d"} 0`,
			`dora_time_to_restore_samples` + overflow + `,window="7d"} 0`,
		}
		slices.Sort(shown)
		slices.Sort(want)
		if !slices.Equal(shown, want) {
			t.Errorf("%s: shown\n%s\nwant\n%s", when, strings.Join(shown, "\n"), strings.Join(want, "\n"))
		}
	}
	check("at first", w)
	check("in another process", w.beside(options))
}

// TestEnvironmentsBeyondTheLabelSetLimit has a hundred environments, of which ten
// have a place.
func TestEnvironmentsBeyondTheLabelSetLimit(t *testing.T) {
	w := newWindowed(t, exporter.Options{Windows: []time.Duration{week}, LabelSetLimit: 10})
	for n := range 100 {
		w.do(db.StartDeployment{
			Key:           db.Key{Project: "shop", Environment: fmt.Sprintf("branch-%02d", n), ID: "1"},
			FirstCommitAt: noon.Add(-time.Hour), DeployStartAt: noon.Add(-time.Hour), Team: func(string) string { return "blue" },
		})
	}
	shown := map[string]int{}
	for _, line := range w.series() {
		if name, value, _ := strings.Cut(line, " "); strings.HasPrefix(name, "dora_deployments_unfinished{") && value != "0" {
			_, scope, _ := strings.Cut(name, `scope="`)
			scope, _, _ = strings.Cut(scope, `"`)
			if shown[scope]++; scope == "overflow" && value != "90" || scope != "overflow" && !strings.Contains(name, "branch-0") {
				t.Error(line)
			}
		}
	}
	if want := map[string]int{"all": 10, "team": 10, "project": 10, "overflow": 1}; !maps.Equal(shown, want) {
		t.Errorf("shown %v, want %v", shown, want)
	}
}

// TestACollectionIsNotSlowedByTheWindows has no patience at all: a collection
// shows the figures there are, and one soon after it the new ones.
func TestACollectionIsNotSlowedByTheWindows(t *testing.T) {
	w := newWindowed(t, exporter.Options{Windows: []time.Duration{week}, WindowPatience: 1})
	w.deploy("shop", "", "1", time.Hour)
	if !w.has(`dora_deployments{environment="production",project_id="shop",scope="project",window="7d"} 1`) {
		t.Fatal("the first collection does not wait: ", w.series())
	}
	w.deploy("shop", "", "2", time.Hour)
	const deployments = `dora_deployments{environment="production",project_id="shop",scope="project",window="7d"} `
	for range 1000 {
		lines := w.series()
		if slices.Contains(lines, deployments+"2") {
			return
		}
		if !slices.Contains(lines, deployments+"1") {
			t.Fatal("neither the old figure nor the new one: ", lines)
		}
	}
	t.Error("the new figure never came")
}

// TestWindowsArePushedAsTheyAreScraped receives a push and compares its points
// with the lines of /metrics, name by name and label by label.
func TestWindowsArePushedAsTheyAreScraped(t *testing.T) {
	received := make(chan *collector.ExportMetricsServiceRequest, 8)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var request collector.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Error(err)
		}
		received <- &request
	}))
	t.Cleanup(server.Close)
	w := newWindowed(t, exporter.Options{
		Windows: []time.Duration{week, month}, CollectorURL: server.URL, PushInterval: time.Hour,
	})
	w.deploy("shop", "blue", "1", time.Hour)
	w.deploy("api", "", "1", 20*24*time.Hour)
	if err := w.exporter.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var pushed []string
	for _, resource := range (<-received).GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				name := m.GetName()
				if !strings.HasPrefix(name, "dora_") {
					continue
				}
				if m.GetUnit() == "s" {
					name += "_seconds"
				}
				for _, p := range m.GetGauge().GetDataPoints() {
					if p.GetTimeUnixNano() != uint64(noon.UnixNano()) {
						t.Errorf("%s is of %d, not of the push", name, p.GetTimeUnixNano())
					}
					var labels []string
					for _, a := range p.GetAttributes() {
						labels = append(labels, fmt.Sprintf("%s=%q", a.GetKey(), a.GetValue().GetStringValue()))
					}
					slices.Sort(labels)
					line := name
					if len(labels) > 0 {
						line += "{" + strings.Join(labels, ",") + "}"
					}
					pushed = append(pushed, fmt.Sprintf("%s %s", line, strconv.FormatFloat(p.GetAsDouble(), 'g', -1, 64)))
				}
			}
		}
	}
	scraped := w.series()
	slices.Sort(scraped)
	slices.Sort(pushed)
	if len(scraped) < 50 || !slices.Equal(scraped, pushed) {
		t.Errorf("scraped\n%s\npushed\n%s", strings.Join(scraped, "\n"), strings.Join(pushed, "\n"))
	}
}

func TestNoWindowsNoGauges(t *testing.T) {
	w := newWindowed(t, exporter.Options{})
	w.deploy("shop", "", "1", time.Hour)
	if lines := w.series(); len(lines) > 0 {
		t.Error(lines)
	}
}
