package e2e

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
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

// scope is a set of projects with common figures, and the labels of these.
type scope struct {
	labels   string
	projects []string
}

func scopes(projects []string) []scope {
	all := []scope{{`scope="all"`, projects}}
	for team, members := range teams(projects) {
		all = append(all, scope{fmt.Sprintf("scope=%q,team_id=%q", "team", team), members})
	}
	for _, p := range projects {
		all = append(all, scope{fmt.Sprintf("scope=%q,project_id=%q", "project", p), []string{p}})
	}
	return all
}

// makeHistory creates the data of a Prometheus that has run for half a year:
// counters, buckets and gauges as it would have scraped them, and the results of
// the recording rules for counters. promtool creates both, from OpenMetrics and
// from the rules. The instance is the address that it scraped.
func makeHistory(t *testing.T, entries []entry, now time.Time, instance string) (data string) {
	t.Helper()
	dir := t.TempDir()
	data = filepath.Join(dir, "data")
	file := filepath.Join(dir, "history.txt")
	writeHistory(t, file, entries, now, instance)
	const blocks = "--max-block-duration=2400h"
	promtool(t, "tsdb", "create-blocks-from", blocks, "openmetrics", "--quiet", file, data)

	// promtool evaluates between the samples, so the lookback is long.
	s := startPrometheusIn(t, dir, "", "--storage.tsdb.retention.time=400d", "--query.lookback-delta=13h")
	times := historyTimes(now)
	promtool(t, "tsdb", "create-blocks-from", blocks, "rules", "--url=http://"+s.address, "--eval-interval=12h",
		fmt.Sprintf("--start=%d", times[0].Unix()), fmt.Sprintf("--end=%d", times[len(times)-1].Unix()),
		"--output-dir="+data, "../prometheus/rules/counters.yml")
	if err := s.process.Stop(syscall.SIGTERM); err != nil {
		t.Errorf("Prometheus ended with %v", err)
	}
	return data
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

// writeHistory writes OpenMetrics with the timestamps of historyTimes.
func writeHistory(t *testing.T, name string, entries []entry, now time.Time, instance string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	projects := projectsOf(entries)
	target := fmt.Sprintf(`job="em_metrics",instance=%q,environment="production",`, instance)
	for _, at := range historyTimes(now) {
		for _, s := range scopes(projects) {
			writeFigures(w, entries, s, at, target)
		}
		for _, p := range projects {
			writeTotals(w, entries, p, teamOf(projects, p), at, target)
		}
	}
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func teamOf(projects []string, project string) string {
	for team, members := range teams(projects) {
		if slices.Contains(members, project) {
			return team
		}
	}
	return ""
}

// historyTimes returns every half day of half a year, and more times around those
// that queries look up: one window ago.
func historyTimes(now time.Time) []time.Time {
	var times []time.Time
	for at := now.Add(-185 * day).Truncate(12 * time.Hour); at.Before(now.Add(-3 * time.Hour)); at = at.Add(12 * time.Hour) {
		times = append(times, at)
	}
	for _, window := range []time.Duration{7 * day, 30 * day, 90 * day} {
		around := now.Add(-window).Truncate(time.Minute)
		for at := around.Add(-30 * time.Minute); at.Before(around.Add(30 * time.Minute)); at = at.Add(4 * time.Minute) {
			times = append(times, at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return slices.Compact(times)
}

func writeFigures(w *bufio.Writer, entries []entry, s scope, at time.Time, target string) {
	for label, window := range windows {
		for name, figure := range figuresOf(entries, s.projects, window, at) {
			name, quantile, _ := strings.Cut(name, " ")
			if quantile != "" {
				quantile = fmt.Sprintf(",quantile=%q", quantile)
			}
			fmt.Fprintf(w, "%s{%swindow=%q,%s%s} %g %d\n", name, target, label, s.labels, quantile, figure, at.Unix())
		}
	}
}

// writeTotals writes the counters and histograms of a project as they would have
// been if every event had been reported when it happened.
func writeTotals(w *bufio.Writer, entries []entry, project, team string, at time.Time, target string) {
	labels := target + fmt.Sprintf("project_id=%q", project)
	if team != "" {
		labels += fmt.Sprintf(",team_id=%q", team)
	}
	totals := totalsOf(entries, project, at)
	for name, total := range totals.counters {
		fmt.Fprintf(w, "%s{%s} %d %d\n", name, labels, total, at.Unix())
	}
	for name, samples := range totals.samples {
		sum := 0.0
		for _, sample := range samples {
			sum += sample
		}
		fmt.Fprintf(w, "%s_sum{%s} %g %d\n%s_count{%s} %d %d\n", name, labels, sum, at.Unix(), name, labels, len(samples), at.Unix())
		for _, bound := range append(bounds(name), math.Inf(1)) {
			n := 0
			for _, sample := range samples {
				if sample <= bound {
					n++
				}
			}
			fmt.Fprintf(w, "%s_bucket{%s,le=%q} %d %d\n", name, labels, formatBound(bound), n, at.Unix())
		}
	}
}

// formatBound formats the bound of a bucket as OpenMetrics requires.
func formatBound(bound float64) string {
	if math.IsInf(bound, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(bound, 'f', 1, 64)
}

type totals struct {
	counters map[string]int
	samples  map[string][]float64
}

func totalsOf(entries []entry, project string, at time.Time) totals {
	t := totals{
		map[string]int{
			"deployment_started_total": 0, "deployment_frequency_total": 0, "change_failure_count_total": 0,
			"incident_count_total": 0, "incident_restored_total": 0, "incident_finished_total": 0,
		},
		map[string][]float64{
			"lead_time_for_changes_seconds": nil, "deployment_duration_seconds": nil,
			"time_to_detect_seconds": nil, "time_to_restore_seconds": nil,
		},
	}
	happened := func(when time.Time) bool { return !when.IsZero() && !when.After(at) }
	add := func(name string, took time.Duration) { t.samples[name] = append(t.samples[name], took.Seconds()) }
	failed := map[string]bool{}
	for _, e := range entries {
		if e.Project != project {
			continue
		}
		if happened(e.DeployedAt) {
			t.counters["deployment_started_total"]++
			t.counters["deployment_frequency_total"]++
			add("lead_time_for_changes_seconds", e.DeployedAt.Sub(e.FirstCommitAt))
			if !e.DeployStartAt.IsZero() {
				add("deployment_duration_seconds", e.DeployedAt.Sub(e.DeployStartAt))
			} else {
				add("deployment_duration_seconds", 0)
			}
		}
		if happened(e.StartedAt) {
			t.counters["incident_count_total"]++
			if d := deploymentOf(entries, e); d != nil {
				failed[e.DeploymentID] = true
				add("time_to_detect_seconds", e.StartedAt.Sub(d.DeployedAt))
			}
		}
		if happened(e.RestoredAt) {
			t.counters["incident_restored_total"]++
			add("time_to_restore_seconds", e.RestoredAt.Sub(e.StartedAt))
		}
		if happened(e.FinishedAt) {
			t.counters["incident_finished_total"]++
		}
	}
	t.counters["change_failure_count_total"] = len(failed)
	return t
}

// bounds returns the bucket bounds of a histogram, in seconds.
func bounds(histogram string) []float64 {
	text := "1m 2m 5m 10m 15m 30m 45m 1h 90m 2h 3h 4h 6h 8h 12h 16h 24h 36h 48h 72h 96h 120h 168h 240h 336h 504h " +
		"720h 1080h 1440h 2160h 4320h"
	if histogram == "deployment_duration_seconds" {
		text = "5s 10s 15s 30s 45s 1m 90s 2m 3m 4m 5m 7m 10m 15m 20m 30m 45m 1h 90m 2h 4h 8h 24h"
	}
	var seconds []float64
	for word := range strings.FieldsSeq(text) {
		d, err := time.ParseDuration(word)
		if err != nil {
			panic(err) // the text above is wrong
		}
		seconds = append(seconds, d.Seconds())
	}
	return seconds
}
