package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// windows lists the windows of the services in these tests: the default ones, and
// one that includes everything.
var windows = map[string]time.Duration{
	"1d": day, "7d": 7 * day, "30d": 30 * day, "90d": 90 * day, "9000d": 9000 * day,
}

const day = 24 * time.Hour

// teams assigns the projects to teams. Every third project has none.
func teams(projects []string) map[string][]string {
	of := map[string][]string{}
	for i, p := range projects {
		switch i % 3 {
		case 0:
			of["blue"] = append(of["blue"], p)
		case 1:
			of["green"] = append(of["green"], p)
		}
	}
	return of
}

// makeHistory creates the data of a Prometheus that has run for half a year, from
// what em-metrics exports. The instance is the address that it scraped.
func makeHistory(t *testing.T, entries []entry, now time.Time, instance string) (data string) {
	t.Helper()
	s := programtest.StartService(t, "CONFIG="+teamsFile(t, entries), "DEPLOYMENT_ENVIRONMENT=production",
		"EM_METRICS_WINDOWS=1d,7d,30d,90d,9000d")
	replay(t, s, entries)
	data = filepath.Join(t.TempDir(), "data")
	addHistory(t, s, instance, data, now.Add(-185*day), now.Add(-3*time.Hour), 12*time.Hour)
	for _, window := range []time.Duration{7 * day, 30 * day, 90 * day} { // queries look up one window ago
		addHistory(t, s, instance, data, now.Add(-window-30*time.Minute), now.Add(-window+30*time.Minute), 4*time.Minute)
	}
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	return data
}

// addHistory adds what the service exports to a data folder.
func addHistory(t *testing.T, s *programtest.Service, instance, data string, from, to time.Time, step time.Duration) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "history.txt")
	export(t, s, "-instance", instance, "-step", step.String(), "-out", file,
		"-from", from.UTC().Format(time.RFC3339), "-to", to.UTC().Format(time.RFC3339))
	makeBlocks(t, file, data)
}

func export(t *testing.T, s *programtest.Service, args ...string) {
	t.Helper()
	if _, stderr, code := s.Run(append([]string{"export", "-format", "openmetrics"}, args...)...); code != 0 {
		t.Fatalf("export ended with exit code %d\n%s", code, stderr)
	}
}

func makeBlocks(t *testing.T, history, data string) {
	t.Helper()
	promtool(t, "tsdb", "create-blocks-from", "--max-block-duration=87600h", "openmetrics", "--quiet", history, data)
}

// copyData copies a data folder into a new folder, as the folder data.
func copyData(t *testing.T, data string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "data"), os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("promtool is required: %v (.ci/watch builds it)", err)
	}
	if output, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("promtool %s: %v\n%s", args, err, output)
	}
}

// The increase of counters over the seam between what was exported and what is
// scraped is exact, also of a series that was held at zero in between.
func TestIncreaseOverTheSeamIsExact(t *testing.T) {
	t.Parallel()
	s := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=20s", "DEPLOYMENT_ENVIRONMENT=production")
	replay(t, s, deployed("shop", 50*time.Hour, 30*time.Hour, 90*time.Minute, 20*time.Minute))
	replay(t, s, deployed("newcomer", 25*time.Minute, 15*time.Minute))
	dir := t.TempDir()
	file := filepath.Join(dir, "history.txt")
	export(t, s, "-instance", s.Address, "-out", file)
	makeBlocks(t, file, filepath.Join(dir, "data"))
	p := startPrometheusIn(t, dir, repositoryConfig(t, "prometheus.yml", s), "--storage.tsdb.retention.time=400d")
	p.waitFor(`deployment_frequency_total{project_id="shop"}`, 4)
	for n := range 3 {
		s.Deploy("shop", 100+n)
	}
	p.waitFor(`project:deployment_frequency_total{project_id="newcomer"}`, 2)
	for _, series := range []string{
		"deployment_started_total{%s}", "deployment_frequency_total{%s}", "lead_time_for_changes_seconds_count{%s}",
		`lead_time_for_changes_seconds_bucket{%s, le="7200.0"}`, "project:deployment_frequency_total{%s}",
		`project:lead_time_for_changes_seconds_bucket{%s, le="7200.0"}`,
	} {
		for length, want := range map[string]float64{"1h": 4, "3h": 5, "2d": 6} {
			p.waitFor(fmt.Sprintf("round(increase("+series+"[%s]))", `project_id="shop"`, length), want)
			p.waitFor(fmt.Sprintf("round(increase("+series+"[%s]))", `project_id="newcomer"`, length), 2)
		}
	}
	p.checkResets()
}

// deployed returns deployments that were deployed so long ago.
func deployed(project string, ago ...time.Duration) (entries []entry) {
	for i, d := range ago {
		at := time.Now().UTC().Truncate(time.Second).Add(-d)
		entries = append(entries, entry{
			Kind: "deployment", Project: project, ID: fmt.Sprint(project, i), FirstCommitAt: at.Add(-time.Hour), DeployedAt: at,
		})
	}
	return entries
}

// A backfill replaces what a Prometheus has scraped before and during an import, by
// the procedure of docs/operations.md.
func TestBackfillAfterAnImport(t *testing.T) {
	t.Parallel()
	s := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=2s", "DEPLOYMENT_ENVIRONMENT=production")
	dir := t.TempDir()
	config := repositoryConfig(t, "prometheus.yml", s)
	p := startPrometheusIn(t, dir, config, "--storage.tsdb.retention.time=400d", "--web.enable-admin-api")
	s.Deploy("shop", 100)
	p.waitFor(`project:deployment_frequency_total{project_id="shop"}`, 1)
	replay(t, s, deployed("shop", 50*time.Hour, 30*time.Hour, 90*time.Minute))
	for _, series := range []string{ // of both groups of rules
		"deployment_frequency_total{%s}", `lead_time_for_changes_seconds_bucket{%s, le="+Inf"}`,
		`deployment_duration_seconds_bucket{%s, le="+Inf"}`,
	} {
		p.waitFor(fmt.Sprintf("project:"+series, `project_id="shop"`), 4)
	}

	now, file := time.Now().UTC().Format(time.RFC3339), filepath.Join(dir, "history.txt")
	export(t, s, "-instance", s.Address, "-to", now, "-out", file)
	for _, series := range []string{`{job="em_metrics", __name__!~"up|scrape_.*"}`, `{__name__=~"project:.+"}`} {
		response, err := http.PostForm("http://"+p.address+"/api/v1/admin/tsdb/delete_series", url.Values{"match[]": {series}, "end": {now}})
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != http.StatusNoContent {
			t.Fatalf("delete_series answers %s", response.Status)
		}
	}
	makeBlocks(t, file, filepath.Join(dir, "data"))
	if err := p.process.Stop(syscall.SIGTERM); err != nil { // it would find the blocks within a minute
		t.Error(err)
	}
	p = startPrometheusIn(t, dir, config, "--storage.tsdb.retention.time=400d")
	for length, want := range map[string]float64{"1h": 1, "3h": 2, "2d": 3} {
		for _, series := range []string{"deployment_frequency_total", "project:deployment_frequency_total"} {
			p.waitFor(fmt.Sprintf(`round(increase(%s{project_id="shop"}[%s]))`, series, length), want)
		}
	}
	p.checkResets()
}

// checkResets checks that no counter or histogram of the service has ever fallen.
func (s *server) checkResets() {
	s.t.Helper()
	names, err := s.query(`count by (__name__) ({__name__=~"(deployment|lead_time|change_failure|incident|time_to)_.+|project:[^:]+"})`)
	if err != nil || len(names) < 20 {
		s.t.Fatalf("there are %d names of counters: %v", len(names), err)
	}
	for _, name := range names {
		fallen, err := s.query(fmt.Sprintf("resets(%s[400d]) > 0", name.Metric["__name__"]))
		if err != nil || len(fallen) > 0 {
			s.t.Errorf("series of %s that fell: %v, %v", name.Metric["__name__"], fallen, err)
		}
	}
}
