package exporter_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
)

var update = flag.Bool("update", false, "update the golden files")

// The complete exposition after a story that uses every instrument.
func TestExpositionOfAStory(t *testing.T) {
	r := newRig(t, exporter.Options{ServiceName: "em_metrics", Windows: []time.Duration{7 * 24 * time.Hour}})
	blue := func(string) string { return "blue" }
	r.do(db.StartDeployment{
		Key:           db.Key{Project: "shop", Environment: "production", ID: "1"},
		FirstCommitAt: r.ago(49 * time.Hour), DeployStartAt: r.ago(12 * time.Minute), Team: blue,
	}, db.FinishDeployment{Ref: db.Ref{ID: "1"}, DeployedAt: r.ago(5 * time.Minute)})
	r.do(db.OpenIncident{
		Key: db.Key{Project: "shop", Environment: "production", ID: "i"}, DeploymentID: "1",
		StartedAt: r.ago(3 * time.Minute), RestoredAt: r.ago(time.Minute), FinishedAt: r.now(), Team: blue,
	})
	r.do(db.OpenIncident{Key: db.Key{Project: "pay\"ments\\", Environment: "staging", ID: "j"}})
	r.exporter.Declare(t.Context(), "declared", "production", "blue")

	_, body := r.get(false)
	compareGolden(t, "testdata/story.txt", stableLines(body))
}

// stableLines returns the exposition without the runtime's metrics and those
// that differ from run to run.
func stableLines(body string) string {
	var kept []string
	for line := range strings.Lines(body) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		excluded := false
		for _, prefix := range []string{
			"go_", "process_", "promhttp_", "target_info", "em_metrics_build_info", "em_metrics_store_",
		} {
			excluded = excluded || strings.HasPrefix(name, prefix)
		}
		if !excluded {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to rewrite it); got:\n%s", name, got)
	}
}

func TestNothingIsExportedBeforeReplayFinishes(t *testing.T) {
	r := newRig(t, exporter.Options{})
	for n := range 50 {
		r.deploy("shop", fmt.Sprint(n))
	}
	r.stop()
	r.start()
	for _, scraper := range []bool{true, false} {
		if status, body := r.get(scraper); status != http.StatusServiceUnavailable || strings.Contains(body, "shop") {
			t.Errorf("during replay /metrics answers %d, want 503: %s", status, body)
		}
	}
	r.catchUp()
	r.expect("after replay", true, map[string]float64{
		"deployment_frequency_total" + shop: 50, "lead_time_for_changes_seconds_sum" + shop: 50 * 3600,
	})
}

// A scrape during a long replay sees everything or nothing.
func TestScrapeDuringReplaySeesNoPartialTotal(t *testing.T) {
	r := newRig(t, exporter.Options{})
	const deployments = 1500
	r.deployMany("shop", deployments)
	r.stop()
	r.start()
	r.forgetSnapshots()
	replayed := make(chan error, 1)
	go func() { replayed <- r.exporter.CatchUp(context.Background()) }()
	refused := 0
	for {
		status, _ := r.get(true)
		if status == http.StatusOK {
			break
		}
		refused++
	}
	if err := <-replayed; err != nil {
		t.Fatal(err)
	}
	if refused == 0 {
		t.Error("no scrape arrived during replay, so the test proves nothing")
	}
	r.expect("the first answer", false, map[string]float64{"deployment_frequency_total" + shop: deployments})
}

func TestEventsCountOnceUnderConcurrentScrapesAndWrites(t *testing.T) {
	r := newRig(t, exporter.Options{})
	second, err := exporter.New(t.Context(), r.store, exporter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Shutdown(context.Background()) })

	const writers, each = 4, 25
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range each {
				r.deploy("shop", fmt.Sprintf("%d-%d", w, n))
			}
		})
		all.Go(func() {
			last := 0.0
			for range 20 {
				total := r.values(false)["deployment_frequency_total"+shop]
				if total < last {
					t.Errorf("the total fell from %v to %v", last, total)
				}
				last = total
				if err := second.CatchUp(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	want := map[string]float64{
		"deployment_frequency_total" + shop:                   writers * each,
		"lead_time_for_changes_seconds_count" + shop:          writers * each,
		`em_metrics_events_total{kind="deployment_deployed"}`: writers * each,
	}
	r.expect("at the end", false, want)
	r.exporter = second
	r.server.Config.Handler = second.Handler()
	r.expect("in another process on the same store", false, want)
}

func TestLabelSetsBeyondLimitAreCountedTogether(t *testing.T) {
	r := newRig(t, exporter.Options{LabelSetLimit: 2})
	for n := range 5 {
		r.deploy(fmt.Sprintf("p%d", n), "1")
	}
	r.deploy("p0", "2")
	want := map[string]float64{
		`deployment_frequency_total{environment="production", project_id="p0"}`: 2,
		`deployment_frequency_total{environment="production", project_id="p1"}`: 1,
		`deployment_frequency_total{otel_metric_overflow="true"}`:               3,
		`lead_time_for_changes_seconds_count{otel_metric_overflow="true"}`:      3,
		"em_metrics_label_sets_overflowed_events_total{}":                       6,
	}
	r.expect("at first", false, want)
	if _, found := r.values(false)[`deployment_frequency_total{environment="production", project_id="p2"}`]; found {
		t.Error("a label set beyond the limit has a series of its own")
	}
	if lines := strings.Count(r.log.String(), "label set limit reached"); lines != 1 {
		t.Errorf("%d lines were logged, want 1", lines)
	}
	r.options.LabelSetLimit = 2
	r.restart()
	r.exporter.Declare(t.Context(), "p4", "production", "") // must not use up the limit
	r.expect("after a restart", false, want)
}

func TestDeclaredProjectsAreExportedAtZero(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.exporter.Declare(t.Context(), "shop", "production", "")
	zero := map[string]float64{}
	for _, name := range []string{
		"deployment_started_total", "deployment_frequency_total", "change_failure_count_total", "incident_count_total",
		"incident_restored_total", "incident_finished_total", "lead_time_for_changes_seconds_count",
		"lead_time_for_changes_seconds_sum", "lead_time_for_changes_seconds_buckets",
		"deployment_duration_seconds_count", "time_to_detect_seconds_count", "time_to_restore_seconds_count",
	} {
		zero[name+shop] = 0
	}
	r.expect("before any event, to a person", false, zero)
	r.expect("before any event, to a scraper", true, zero)

	r.deploy("shop", "1")
	r.expect("after a deployment", false, map[string]float64{
		"lead_time_for_changes_seconds_count" + shop: 1, "time_to_restore_seconds_count" + shop: 0,
	})
}
