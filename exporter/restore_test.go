package exporter_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/em-metrics/em-metrics/exporter"
)

// backUp writes a backup of the store and returns its path.
func (r *rig) backUp() string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "backup.db")
	r.execute("VACUUM INTO '" + path + "'")
	return path
}

// restore replaces what is in the open file through SQLite, as the command
// .restore of sqlite3 does.
func (r *rig) restore(backup string) {
	r.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+r.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		r.t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Conn(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		restore, err := driver.(interface { // a connection of the package sqlite
			NewRestore(source string) (*sqlite.Backup, error)
		}).NewRestore(backup)
		if err != nil {
			return err
		}
		if _, err := restore.Step(-1); err != nil {
			return err
		}
		return restore.Finish()
	})
	if err != nil {
		r.t.Fatalf("restore: %v", err)
	}
}

// After a backup was restored into the open file, the totals are those of the
// backup and of what was recorded since, however much that is.
func TestStoreRestoredUnderTheProcess(t *testing.T) {
	const declared = `{environment="production", project_id="declared", team_id="blue"}`
	for _, since := range []int{0, 3, 4} { // fewer, as many and more than were lost
		t.Run(fmt.Sprintf("%d deployments since", since), func(t *testing.T) {
			c := newReceiver(t, "http")
			r := newPushRig(t, exporter.Options{CollectorURL: c.url(), LabelSetLimit: 2})
			r.exporter.Declare(t.Context(), "declared", "production", "blue")
			r.deploy("shop", "1")
			backup := r.backUp()
			r.deploy("shop", "2")
			r.deploy("other", "1")
			r.deploy("beyond", "1")
			r.push()
			const overflow = `deployment_frequency_total{otel_metric_overflow="true"}`
			before := map[string]float64{
				"deployment_frequency_total" + shop: 2, overflow: 1, "deployment_frequency_total" + declared: 0,
				`em_metrics_events_total{kind="deployment_started"}`: 4,
			}
			r.expect("before", false, before)
			c.expect("before", before)

			r.restore(backup)
			for n := range since {
				r.deploy("new", fmt.Sprint(n))
			}
			after := map[string]float64{
				"deployment_frequency_total" + shop: 1, "lead_time_for_changes_seconds_sum" + shop: 3600,
				"deployment_frequency_total" + declared:               0,
				"time_to_restore_seconds_count" + declared:            0,
				`em_metrics_events_total{kind="deployment_started"}`:  float64(1 + since),
				`em_metrics_events_total{kind="incident_restored"}`:   0,
				"em_metrics_label_sets_overflowed_events_total{}":     0,
				`em_metrics_events_total{kind="deployment_deployed"}`: float64(1 + since),
			}
			if since > 0 {
				after[`deployment_frequency_total{environment="production", project_id="new"}`] = float64(since)
			}
			r.expect("after", false, after)
			if _, exported := r.values(false)[overflow]; exported {
				t.Error("a label set that was lost is exported")
			}
			r.push()
			c.expect("after", after)
			if n := strings.Count(r.log.String(), "the store was restored to another state"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, r.log.String())
			}
			r.deploy("shop", "3")
			r.expect("later", false, map[string]float64{"deployment_frequency_total" + shop: 2})
		})
	}
}

// A project that was lost with the restore no longer has the place that another
// one needs in the figures of windows.
func TestPlacesAreFreeAfterRestore(t *testing.T) {
	r := newRig(t, exporter.Options{LabelSetLimit: 2, Windows: []time.Duration{week}, WindowPatience: time.Minute})
	r.deploy("shop", "1")
	backup := r.backUp()
	r.deploy("lost", "1")
	r.deploy("beyond", "1")
	const overflow = `dora_deployments{otel_metric_overflow="true", scope="overflow", window="7d"}`
	r.expect("before", false, map[string]float64{overflow: 1})
	r.restore(backup)
	r.deploy("new", "1")
	r.expect("after", false, map[string]float64{
		`dora_deployments{environment="production", project_id="new", scope="project", window="7d"}`: 1,
	})
	if _, shown := r.values(false)[overflow]; shown {
		t.Error("there is still an overflow")
	}
}
