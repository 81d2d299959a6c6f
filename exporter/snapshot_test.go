package exporter_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
)

// kill ends the exporter and the store without a chance to save the totals.
func (r *rig) kill() {
	r.t.Helper()
	r.server.Close()
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.exporter.Shutdown(ctx) // only ends its goroutines
}

// forgetSnapshots makes the next start replay all events.
func (r *rig) forgetSnapshots() { r.execute("DELETE FROM snapshots") }

// snapshots returns how many starts have used a snapshot.
func (r *rig) snapshots() int { return strings.Count(r.log.String(), "totals read from a snapshot") }

// exposition returns the lines of /metrics that depend on the events alone.
func (r *rig) exposition() []string {
	r.t.Helper()
	status, body := r.get(false)
	if status != http.StatusOK {
		r.t.Fatalf("/metrics answered %d: %s", status, body)
	}
	return slices.DeleteFunc(strings.Split(body, "\n"), func(line string) bool {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		for _, prefix := range []string{"go_", "process_", "promhttp_", "em_metrics_store_", "em_metrics_build_info"} {
			if strings.HasPrefix(line, prefix) {
				return true
			}
		}
		return false
	})
}

// replayed returns a rig on a copy of the store that has replayed all events.
func (r *rig) replayed(o exporter.Options) *rig {
	r.t.Helper()
	full := &rig{t: r.t, path: r.backUp(), options: o, clock: r.clock}
	full.options.Logger = r.options.Logger
	full.forgetSnapshots()
	full.start()
	full.catchUp()
	return full
}

// change records something at random: much of it in label sets that are new, or
// new to an instrument.
func (r *rig) change(random *rand.Rand, n int) {
	r.t.Helper()
	r.advance(time.Duration(random.IntN(100_000)) * time.Millisecond)
	key := db.Key{
		Project:     fmt.Sprintf("project-%d", random.IntN(3+n/20)),
		Environment: []string{"production", "staging"}[random.IntN(2)],
		ID:          fmt.Sprint(random.IntN(20)),
	}
	team := func(project string) string { return []string{"", "blue", "größe"}[len(project)%3] }
	ago := func() time.Time { return r.ago(time.Duration(random.Int64N(int64(200 * 24 * time.Hour)))) }
	commands := []db.Command{
		db.StartDeployment{Key: key, FirstCommitAt: ago(), Team: team},
		db.FinishDeployment{Ref: db.Ref{ID: key.ID, Project: key.Project}, Team: team},
		db.OpenIncident{Key: key, StartedAt: ago(), Team: team},
		db.OpenIncident{Key: key, DeploymentID: key.ID, Team: team},
		db.RestoreIncident{Ref: db.Ref{ID: key.ID, Project: key.Project}},
		db.FinishIncident{Ref: db.Ref{ID: key.ID, Project: key.Project}},
	}
	// Much of it is refused, which the totals must not show.
	_, _ = r.store.Do(r.t.Context(), commands[random.IntN(len(commands))])
}

// Whatever was recorded, and however often and however the process ended, a start
// from a snapshot exports exactly what a replay of all events does, to both
// outputs.
func TestStartFromSnapshotIsLikeAReplay(t *testing.T) {
	for seed := range uint64(programtest.Rounds(4, 100)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 15))
			c := newReceiver(t, "http")
			o := exporter.Options{
				CollectorURL: c.url(), SeriesHold: time.Minute, LabelSetLimit: 8, PushInterval: time.Hour,
				Windows: []time.Duration{week}, WindowPatience: time.Minute,
			}
			r := newRig(t, o)
			for n := range 400 {
				r.change(random, n)
				switch random.IntN(80) {
				case 0:
					r.restart()
				case 1:
					r.kill()
					r.start()
					r.catchUp()
				case 2: // snapshots of another limit are of no use, and stay
					r.options.LabelSetLimit = 20 - r.options.LabelSetLimit
					r.restart()
				}
			}
			r.options.LabelSetLimit = 8
			r.restart()
			r.push()
			pushed := c.received()

			fullReceiver := newReceiver(t, "http")
			o.CollectorURL = fullReceiver.url()
			full := r.replayed(o)
			defer full.stop()
			full.push()
			if got, want := r.exposition(), full.exposition(); !slices.Equal(got, want) {
				t.Errorf("from a snapshot: %s\nafter a replay: %s", difference(got, want), difference(want, got))
			}
			want := fullReceiver.received()
			for _, m := range []map[string]series{pushed, want} {
				maps.DeleteFunc(m, func(name string, _ series) bool {
					return strings.HasPrefix(name, "em_metrics_push_") || strings.HasPrefix(name, "em_metrics_label_sets_") && !strings.Contains(name, "overflowed")
				})
			}
			for name, s := range want {
				got := pushed[name]
				if s.value == 0 && strings.HasPrefix(name, "em_metrics_events_") { // it has not started
					got.start = s.start
				}
				if got != s {
					t.Errorf("%s was pushed as %+v, after a replay as %+v", name, got, s)
				}
			}
			if len(pushed) < len(want) || r.snapshots() == 0 {
				t.Errorf("%d of %d series pushed, %d starts from a snapshot", len(pushed), len(want), r.snapshots())
			}
		})
	}
}

// difference returns the lines of one that are not in the other.
func difference(one, other []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(one), func(line string) bool { return slices.Contains(other, line) }), "\n")
}

// The totals are saved while the process runs, too, so that a start after a kill
// applies only the latest events.
func TestTotalsAreSavedInTheBackground(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.deployMany("shop", 6000)
	r.catchUp()
	programtest.Eventually(t, 10*time.Second, func() error {
		if n := r.count("SELECT count(*) FROM snapshots WHERE seq = 12000"); n != 1 {
			return fmt.Errorf("%d snapshots", n)
		}
		return nil
	})
	r.deploy("shop", "later")
	r.kill()
	r.start()
	r.catchUp()
	r.expect("after a kill", false, map[string]float64{
		"deployment_frequency_total" + shop: 6001, "lead_time_for_changes_seconds_sum" + shop: 6001 * 3600,
	})
	if r.snapshots() != 1 {
		t.Errorf("the start did not use the snapshot: %s", r.log.String())
	}
}

// A snapshot that is damaged costs a replay, and nothing else.
func TestDamagedSnapshotIsIgnored(t *testing.T) {
	for name, damage := range map[string]string{
		"cut":    "UPDATE snapshots SET content = substr(content, 1, length(content) / 2)",
		"empty":  "UPDATE snapshots SET content = x''",
		"bits":   "UPDATE snapshots SET content = CAST(substr(content, 1, 40) || x'ff' || substr(content, 42) AS BLOB)",
		"noise":  "UPDATE snapshots SET content = randomblob(length(content))",
		"absent": "UPDATE snapshots SET parts = 2",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, exporter.Options{})
			for n := range 20 {
				r.deploy(fmt.Sprint("project-", n), "1")
			}
			r.deploy("shop", "1")
			r.stop()
			r.execute(damage)
			r.start()
			r.catchUp()
			r.expect("after damage", false, map[string]float64{"deployment_frequency_total" + shop: 1})
			if r.snapshots() > 0 {
				t.Error("the snapshot was used")
			}
			r.deploy("shop", "2")
			r.restart()
			r.expect("after a restart", false, map[string]float64{"deployment_frequency_total" + shop: 2})
			if r.snapshots() != 1 {
				t.Error("there is no new snapshot")
			}
		})
	}
}

// The sum of a histogram never falls by a last bit, because it is added up in
// milliseconds, whatever the order.
func TestSumsAreExact(t *testing.T) {
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{CollectorURL: c.url()})
	random := rand.New(rand.NewPCG(1, 15))
	var sum int64
	least, most := int64(math.MaxInt64), int64(0)
	for n := range 100 {
		lead := 60_000 + random.Int64N(3_600_000_000) // milliseconds
		sum, least, most = sum+lead, min(least, lead), max(most, lead)
		r.do(db.StartDeployment{
			Key:           db.Key{Project: "shop", Environment: "production", ID: fmt.Sprint(n)},
			FirstCommitAt: r.ago(time.Duration(lead) * time.Millisecond), DeployStartAt: r.now(),
		}, db.FinishDeployment{Ref: db.Ref{ID: fmt.Sprint(n)}})
		if n%10 == 0 {
			r.restart()
		}
		name, want := "lead_time_for_changes_seconds_sum"+shop, float64(sum)/1000
		r.expect(fmt.Sprint("deployment ", n), false, map[string]float64{name: want})
		r.push()
		s := c.received()[name]
		if s.value != want || s.least != float64(least)/1000 || s.most != float64(most)/1000 {
			t.Errorf("deployment %d: pushed %+v, want %v, at least %d ms, at most %d ms", n, s, want, least, most)
		}
	}
}

// A collector that gets exponential histograms gets them of all events: a snapshot
// has other buckets.
func TestExponentialHistogramsAreReplayed(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram")
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{CollectorURL: c.url()})
	r.deploy("shop", "1")
	r.restart()
	r.push()
	if r.snapshots() > 0 {
		t.Error("a snapshot was used")
	}
	c.expect("after a restart", map[string]float64{"deployment_frequency_total" + shop: 1})
}

// After a restore under the process, its totals are not saved as those of the
// restored store, and a snapshot in the backup is not used any more.
func TestSnapshotsAfterRestore(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.deploy("shop", "1")
	r.restart() // saves
	backup := r.backUp()
	r.deploy("shop", "2")
	r.catchUp()
	r.restore(backup)
	r.deploy("other", "1")
	r.restart()
	r.expect("after a restore", false, map[string]float64{
		"deployment_frequency_total" + shop:                                        1,
		`deployment_frequency_total{environment="production", project_id="other"}`: 1,
	})
	if n := r.count("SELECT count(DISTINCT epoch) FROM snapshots"); n != 1 {
		t.Errorf("snapshots of %d epochs", n)
	}
}

// A process that cannot see by its last event that a backup was restored learns it
// from one that can.
func TestRestoreNoticedByAnotherProcess(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.deploy("shop", "1")
	backup := r.backUp()
	r.deploy("lost", "1")
	r.expect("before", false, map[string]float64{"deployment_frequency_total" + shop: 1}) // up to here
	r.deploy("other", "1")
	second, err := exporter.New(t.Context(), r.store, exporter.Options{Logger: r.options.Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Shutdown(context.Background()) }()
	if err := second.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.restore(backup)
	r.deploy("new", "1")
	r.deploy("other", "1") // at the same time and place as before
	const created, lost = `deployment_frequency_total{environment="production", project_id="new"}`,
		`deployment_frequency_total{environment="production", project_id="lost"}`
	first := r.server.Config.Handler
	for name, handler := range map[string]http.Handler{"the first": first, "the second": second.Handler()} {
		r.catchUp()
		r.server.Config.Handler = handler
		r.expect(name, false, map[string]float64{created: 1, "deployment_frequency_total" + shop: 1})
		if _, exported := r.values(false)[lost]; exported {
			t.Errorf("%s exports what was lost", name)
		}
	}
}

// count returns the result of a query.
func (r *rig) count(query string) (n int) {
	r.t.Helper()
	pool := r.database()
	defer pool.Close()
	if err := pool.QueryRow(query).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}
