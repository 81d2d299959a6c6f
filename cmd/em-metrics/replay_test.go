package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// histories are the files that are replayed: the sample that the repository
// keeps and, if the environment names one, a real history.
func histories(t *testing.T) map[string]string {
	files := map[string]string{"sample": filepath.Join("testdata", "sample.jsonl")}
	if file := os.Getenv("EM_METRICS_RELEASES"); file != "" {
		files["releases"] = file
	}
	return files
}

// Every counter and every histogram of a replayed history equals what is
// counted from the file itself, also when it is sent twice, and also after the
// service was killed.
func TestReplayedHistoryGivesItsTotals(t *testing.T) {
	for name, file := range histories(t) {
		t.Run(name, func(t *testing.T) {
			want := countFile(t, file)
			i := startInstance(t)
			env := []string{"EM_METRICS_URL=http://" + i.address, "EM_METRICS_TOKEN_AUTH=" + testToken}
			for _, new := range []string{" of them new", " 0 of them new"} {
				stdout, stderr, code := command(t, env, "replay", file)
				if code != 0 || !strings.Contains(stdout, new) || !strings.Contains(stdout, " 0 refused") {
					t.Fatalf("replay exited with %d: %s%s", code, stdout, stderr)
				}
				checkTotals(t, want, i.metrics())
			}
			i.signal(syscall.SIGKILL)
			i.start()
			checkTotals(t, want, i.metrics())
		})
	}
}

// countFile counts a history in the plainest way: each line adds to the series
// of its project, and nothing is shared with the service.
func countFile(t *testing.T, file string) map[string]float64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	totals := map[string]float64{}
	deployedAt, failed := map[string]time.Time{}, map[string]bool{}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := map[string]any{}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		text := func(key string) string { s, _ := line[key].(string); return s }
		at := func(key string) time.Time {
			if text(key) == "" {
				return time.Time{}
			}
			d, err := time.Parse(time.RFC3339, text(key))
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		environment := text("environment")
		if environment == "" {
			environment = "NO_ENV"
		}
		series := `{environment="` + environment + `", project_id="` + text("project_id") + `"}`
		measure := func(name string, d time.Duration) {
			totals[name+"_count"+series]++
			totals[name+"_sum"+series] += max(0, d.Seconds())
		}
		switch text("kind") {
		case "deployment":
			totals["deployment_started_total"+series]++
			if text("deployed_at") == "" {
				continue
			}
			deployed, started := at("deployed_at"), at("deploy_start_at")
			if started.IsZero() {
				started = deployed
			}
			totals["deployment_frequency_total"+series]++
			measure("lead_time_for_changes_seconds", deployed.Sub(at("first_commit_at")))
			measure("deployment_duration_seconds", deployed.Sub(started))
			deployedAt[series+text("id")] = deployed
		case "incident":
			totals["incident_count_total"+series]++
			if cause := text("deployment_id"); cause != "" {
				if !failed[series+cause] {
					totals["change_failure_count_total"+series]++
				}
				failed[series+cause] = true
				measure("time_to_detect_seconds", at("started_at").Sub(deployedAt[series+cause]))
			}
			finished, restored := at("finished_at"), at("restored_at")
			if restored.IsZero() {
				restored = finished
			}
			if !restored.IsZero() {
				totals["incident_restored_total"+series]++
				measure("time_to_restore_seconds", restored.Sub(at("started_at")))
			}
			if !finished.IsZero() {
				totals["incident_finished_total"+series]++
			}
		default:
			t.Fatalf("unknown line %s", scanner.Text())
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return totals
}

// checkTotals compares in both directions: every total of the file is shown,
// and nothing is shown that the file does not hold.
func checkTotals(t *testing.T, want, got map[string]float64) {
	t.Helper()
	if len(want) < 30 {
		t.Fatalf("only %d series were counted", len(want))
	}
	for series, value := range want {
		if shown, ok := got[series]; !ok || math.Abs(shown-value) > 1e-6*max(1, value) {
			t.Errorf("%s is shown as %v (%v), want %v", series, shown, ok, value)
		}
	}
	for series, shown := range got {
		if _, ok := want[series]; !ok && shown != 0 && isOurs(series) {
			t.Errorf("%s is shown as %v, want none", series, shown)
		}
	}
}

// isOurs tells a series of a project from one of the service itself or of a
// window.
func isOurs(series string) bool {
	return strings.Contains(series, "project_id=") && !strings.HasPrefix(series, "dora_")
}
