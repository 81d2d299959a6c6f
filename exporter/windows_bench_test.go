package exporter_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

// scrape reads /metrics as it is sent, and returns its size.
func (w *windowed) scrape() int64 {
	w.t.Helper()
	answer := httptest.NewRecorder()
	w.exporter.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil || answer.Code != 200 {
		w.t.Fatal(answer.Code, err)
	}
	return n
}

// BenchmarkScrape compares scrapes of a hundred projects and a million
// deployments: without the gauges of windows, with them, and with an event
// between any two scrapes, after which they are computed again.
func BenchmarkScrape(b *testing.B) {
	day := 24 * time.Hour
	windows := []time.Duration{7 * day, 30 * day, 90 * day}
	for _, test := range []struct {
		name    string
		windows []time.Duration
		event   bool
	}{
		{"without-windows", nil, false}, {"windows", windows, false}, {"windows-after-an-event", windows, true},
	} {
		w := newWindowed(b, exporter.Options{Windows: test.windows})
		w.fill()
		size := w.scrape()
		b.Run(test.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if test.event {
					key := db.Key{Project: "project-1", Environment: "production", ID: fmt.Sprintf("new-%d-%d", b.N, i)}
					w.do(db.StartDeployment{Key: key, FirstCommitAt: noon.Add(-time.Hour)})
				}
				w.scrape()
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
