package main

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// histories returns the files to replay: the sample in the repository and, if
// the environment names one, a real history.
func histories(t *testing.T) map[string]string {
	files := map[string]string{"sample": filepath.Join("testdata", "sample.jsonl")}
	if file := os.Getenv("EM_METRICS_RELEASES"); file != "" {
		files["releases"] = file
	}
	return files
}

// Every counter and histogram of a replayed history equals what is counted from
// the file itself, also when the file is sent twice and after a kill.
func TestReplayGivesTheTotalsOfTheFile(t *testing.T) {
	for name, file := range histories(t) {
		t.Run(name, func(t *testing.T) {
			want := countFile(t, file)
			if len(want) < 30 {
				t.Fatalf("only %d series were counted in the file", len(want))
			}
			s := programtest.StartService(t)
			for _, created := range []string{" new", " 0 new"} {
				stdout, stderr, code := s.Run("replay", file)
				if code != 0 || !strings.Contains(stdout, created) || !strings.Contains(stdout, " 0 rejected") {
					t.Fatalf("replay exited with %d: %s%s", code, stdout, stderr)
				}
				expectTotals(t, want, s.Metrics())
			}
			s.KillAndStart()
			expectTotals(t, want, s.Metrics())
		})
	}
}

// countFile computes the totals of a history in the simplest way: each line adds
// to the series of its project. It shares no code with the service.
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
			t.Fatalf("unknown kind of line: %s", scanner.Text())
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return totals
}

// expectTotals compares the series of projects with those expected: there are no
// others above zero.
func expectTotals(t *testing.T, want, got map[string]float64) {
	t.Helper()
	for series, value := range want {
		if exposed, ok := got[series]; !ok || math.Abs(exposed-value) > 1e-6*max(1, value) {
			t.Errorf("%s is %v (%v), want %v", series, exposed, ok, value)
		}
	}
	for series, exposed := range got {
		if _, ok := want[series]; !ok && exposed != 0 && isTotal(series) {
			t.Errorf("%s is %v, want no such series", series, exposed)
		}
	}
}

// isTotal reports whether a series is a total of a project, as opposed to a
// figure of a window or of the service itself.
func isTotal(series string) bool {
	return strings.Contains(series, "project_id=") && !strings.HasPrefix(series, "dora_")
}
