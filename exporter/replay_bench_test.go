package exporter_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
)

// BenchmarkCatchUp replays a million stored events of 100 projects.
//
//	go test -run '^$' -bench CatchUp -benchtime 3x ./exporter
func BenchmarkCatchUp(b *testing.B) {
	store, pool := openForEvents(b)
	_, err := pool.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
		INSERT INTO events (kind, project_id, environment, subject_id, occurred_at, recorded_at, lead_time_ms, deployment_duration_ms)
		SELECT 'deployment_deployed', 'project-' || (i % 100), 'production', 'd' || i, 1760000000000 + i, 1760000000000 + i,
		       (i * 7919) % 864000000, (i * 104729) % 3600000 FROM n`)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := exporter.New(context.Background(), store, exporter.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := e.CatchUp(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/million")
}

// openForEvents opens an empty store, and the same file for filling it with events.
func openForEvents(b *testing.B) (*db.Store, *sql.DB) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "events.db")
	store, err := db.Open(context.Background(), path, db.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pool.Close() })
	return store, pool
}
