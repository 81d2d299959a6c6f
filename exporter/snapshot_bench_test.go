package exporter_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/em-metrics/em-metrics/exporter"
)

// BenchmarkSnapshot starts from a snapshot of 100,000 label sets, each with four
// kinds of events and two histograms, and reports its size.
//
//	go test -run '^$' -bench Snapshot -benchtime 3x ./exporter
func BenchmarkSnapshot(b *testing.B) {
	store, pool := openForEvents(b)
	_, err := pool.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)
		INSERT INTO events (kind, project_id, environment, team_id, subject_id, occurred_at, recorded_at, lead_time_ms, deployment_duration_ms, time_to_restore_ms)
		SELECT kind, 'project-' || (i % 100000), 'production', 'team-' || (i % 100), 'd' || i, 1760000000000 + i, 1760000000000 + i * 7919,
		       CASE kind WHEN 'deployment_deployed' THEN (i * 7919) % 864000000 END,
		       CASE kind WHEN 'deployment_deployed' THEN (i * 104729) % 3600000 END,
		       CASE kind WHEN 'incident_restored' THEN (i * 104729) % 86400000 END
		FROM (SELECT i, CASE (i / 100000) % 5 WHEN 0 THEN 'deployment_started' WHEN 1 THEN 'deployment_deployed' WHEN 2 THEN 'deployment_deployed'
		                WHEN 3 THEN 'incident_started' ELSE 'incident_restored' END AS kind FROM n)`)
	if err != nil {
		b.Fatal(err)
	}
	options := exporter.Options{LabelSetLimit: 200_000, Logger: slog.New(slog.DiscardHandler)}
	catchUp := func() *exporter.Exporter {
		e, err := exporter.New(context.Background(), store, options)
		if err != nil {
			b.Fatal(err)
		}
		if err := e.CatchUp(context.Background()); err != nil {
			b.Fatal(err)
		}
		return e
	}
	if err := catchUp().Shutdown(context.Background()); err != nil { // saves
		b.Fatal(err)
	}
	for b.Loop() {
		catchUp()
	}
	var size, parts float64
	if err := pool.QueryRow("SELECT sum(length(content)), count(*) FROM snapshots").Scan(&size, &parts); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
	b.ReportMetric(size/1e6, "MB")
	b.ReportMetric(parts, "parts")
}
