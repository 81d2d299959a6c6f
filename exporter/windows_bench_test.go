package exporter_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
)

// fill stores a million deployments of a hundred projects in ten teams, evenly
// over the year before noon, every tenth with an incident, and their events.
func (w *windowed) fill() {
	w.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+w.store.Path()+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer pool.Close()
	const statements = `
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 1000000)
	INSERT INTO deployments (project_id, environment, id, team_id, first_commit_at, deploy_start_at, deployed_at,
		rework, began_at, recorded_at)
	SELECT 'project-' || (i % 100), 'production', printf('run-%09d', i), 'team-' || (i % 10),
		at - abs(random() % 864000000), at - 600000, at, i % 20 = 0, at - 600000, at
	FROM (SELECT i, ?1 - (1000000 - i) * 31536 AS at FROM n);

	INSERT INTO incidents (project_id, environment, id, team_id, deployment_id, started_at, restored_at, recorded_at)
	SELECT project_id, environment, 'incident of ' || id, team_id, id, deployed_at + 60000,
		CASE WHEN row % 1000 > 0 THEN deployed_at + 60000 + abs(random() % 86400000) END, deployed_at
	FROM deployments WHERE row % 10 = 0;

	INSERT INTO events (kind, project_id, environment, team_id, subject_id, occurred_at, recorded_at,
		lead_time_ms, deployment_duration_ms, time_to_detect_ms, time_to_restore_ms)
	SELECT 'deployment_deployed', project_id, environment, team_id, id, deployed_at, deployed_at,
		deployed_at - first_commit_at, deployed_at - deploy_start_at, NULL, NULL FROM deployments
	UNION ALL SELECT 'incident_started', project_id, environment, team_id, id, started_at, started_at,
		NULL, NULL, started_at - deployment_deployed_at, NULL FROM incidents
	UNION ALL SELECT 'incident_restored', project_id, environment, team_id, id, restored_at, restored_at,
		NULL, NULL, NULL, restored_at - started_at FROM incidents WHERE restored_at IS NOT NULL;
	`
	if _, err := pool.Exec(statements, noon.UnixMilli()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.exporter.CatchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// counter is an answer of which only the size is kept, as a connection would.
type counter struct {
	header http.Header
	size   int64
	status int
}

func (c *counter) Header() http.Header { return c.header }

func (c *counter) WriteHeader(status int) { c.status = status }

func (c *counter) Write(b []byte) (int, error) {
	c.size += int64(len(b))
	return len(b), nil
}

// scrape reads /metrics as Prometheus does, and returns its size.
func (w *windowed) scrape() int64 {
	w.t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2")
	request.Header.Set("Accept-Encoding", "gzip")
	answer := &counter{header: http.Header{}, status: http.StatusOK}
	w.exporter.Handler().ServeHTTP(answer, request)
	if answer.status != http.StatusOK || answer.size < 1000 {
		w.t.Fatal(answer.status, answer.size)
	}
	return answer.size
}

// BenchmarkWindows compares scrapes of a hundred projects and a million
// deployments without the gauges of windows and with them; scrapes of both kinds
// take turns, so that whatever else the machine does slows both. After an event
// the figures are computed again behind the first scrape, which shows the ones
// there are; "until" is how long the new ones take to show.
func BenchmarkWindows(b *testing.B) {
	day := 24 * time.Hour
	with := newWindowed(b, exporter.Options{Windows: []time.Duration{7 * day, 30 * day, 90 * day}, WindowPatience: 20 * time.Millisecond})
	with.fill()
	without := with.beside(exporter.Options{})
	with.scrape()
	without.scrape()
	for _, event := range []bool{false, true} {
		b.Run(map[bool]string{false: "kept", true: "after-an-event"}[event], func(b *testing.B) {
			var plain, windows, until []time.Duration
			for b.Loop() {
				last := with.unfinished()
				if event {
					key := db.Key{Project: "project-1", Environment: "production", ID: fmt.Sprintf("new-%d", last)}
					with.do(db.StartDeployment{Key: key, FirstCommitAt: noon.Add(-time.Hour), DeployStartAt: noon.Add(-time.Hour)})
				}
				plain = append(plain, timed(without.scrape))
				start := time.Now()
				windows = append(windows, timed(with.scrape))
				for event && with.unfinished() == last {
					runtime.Gosched()
				}
				until = append(until, time.Since(start))
			}
			b.ReportMetric(median(plain), "ms/plain-scrape")
			b.ReportMetric(median(windows), "ms/scrape")
			b.ReportMetric(median(windows)/median(plain), "ratio")
			if event {
				b.ReportMetric(median(until), "ms/until")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func timed(do func() int64) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

func median(values []time.Duration) float64 {
	slices.Sort(values)
	return float64(values[len(values)/2]) / float64(time.Millisecond)
}

// unfinished reads how many unfinished deployments of all are shown.
func (w *windowed) unfinished() (n int) {
	w.t.Helper()
	const name = `dora_deployments_unfinished{environment="production",scope="all",window="7d"} `
	for _, line := range w.series() {
		if value, ok := strings.CutPrefix(line, name); ok {
			if _, err := fmt.Sscan(value, &n); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return n
}

// beside is another exporter of the same store.
func (w *windowed) beside(o exporter.Options) *windowed {
	w.t.Helper()
	other := &windowed{t: w.t, store: w.store}
	var err error
	if other.exporter, err = exporter.New(w.t.Context(), w.store, o); err != nil {
		w.t.Fatal(err)
	}
	if err := other.exporter.CatchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := other.exporter.Shutdown(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
	return other
}
