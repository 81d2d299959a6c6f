package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// fill stores deployments of a hundred projects in ten teams, evenly over the
// year before now, every tenth with an incident.
func fill(b *testing.B, path string, deployments int, now time.Time) {
	b.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)&_pragma=foreign_keys(0)")
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	const statements = `
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
	INSERT INTO deployments (project_id, environment, id, team_id, first_commit_at, deploy_start_at, deployed_at,
		rework, began_at, recorded_at)
	SELECT 'project-' || (i % 100), 'production', printf('run-%09d', i), 'team-' || (i % 10),
		at - abs(random() % 864000000), at - 600000, at, i % 20 = 0, at - 600000, at
	FROM (SELECT i, ?2 - (?1 - i) * (31536000000 / ?1) AS at FROM n);

	INSERT INTO incidents (project_id, environment, id, team_id, deployment_id, started_at, restored_at, recorded_at)
	SELECT project_id, environment, 'incident of ' || id, team_id, id, deployed_at + 60000,
		CASE WHEN row % 1000 > 0 THEN deployed_at + 60000 + abs(random() % 86400000) END, deployed_at
	FROM deployments WHERE row % 10 = 0;
	`
	if _, err := pool.Exec(statements, deployments, now.UnixMilli()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDora reads windows of a store that holds a million deployments of
// one year, 82,000 of them in the last thirty days.
func BenchmarkDora(b *testing.B) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	s := openAt(b, at(now))
	fill(b, s.Path(), 1_000_000, now)
	for _, query := range []struct {
		name string
		dora.Query
	}{
		{"all", dora.Query{}},
		{"by-project", dora.Query{GroupBy: dora.GroupBy{Project: true}}},
		{"all-daily", dora.Query{Interval: dora.Daily}},
		{"one-project", dora.Query{Filter: dora.Filter{Project: "project-7"}}},
	} {
		for _, days := range []int{30, 90} {
			b.Run(fmt.Sprintf("%s/%dd", query.name, days), func(b *testing.B) {
				query.From, query.To = s.Window(time.Duration(days) * 24 * time.Hour)
				for b.Loop() {
					if _, err := s.Dora(context.Background(), query.Query); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("windows", func(b *testing.B) {
		for b.Loop() {
			day := 24 * time.Hour
			if _, err := s.DoraWindows(context.Background(), []time.Duration{7 * day, 30 * day, 90 * day}, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
