package db_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// fillYear stores a million deployments of a hundred projects in ten teams and
// three environments, evenly over the year before now, every twentieth with an
// incident. Of the environment old, nothing has happened for half a year.
func fillYear(b *testing.B, path string, now time.Time) {
	b.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)&_pragma=foreign_keys(0)")
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	const statements = `
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 1000000)
	INSERT INTO deployments (project_id, environment, id, team_id, first_commit_at, deploy_start_at, deployed_at,
		rework, failed, began_at, recorded_at)
	SELECT 'project-' || (i % 100), CASE WHEN i % 10 < 7 THEN 'production' WHEN i < 500000 AND i % 10 = 9 THEN 'old' ELSE 'staging' END,
		printf('run-%09d', i), 'team-' || (i % 10), at - abs(random() % 864000000), at - 600000,
		CASE WHEN i % 100 > 0 THEN at END, i % 20 = 1, i % 20 = 7, at - 600000, at
	FROM (SELECT i, ?1 - (1000000 - i) * 31536 AS at FROM n);

	INSERT INTO incidents (project_id, environment, id, team_id, deployment_id, started_at, restored_at, finished_at,
		deployment_deployed_at, recorded_at)
	SELECT project_id, environment, 'incident of ' || id, team_id, id, deployed_at + 60000,
		CASE WHEN row % 1000 > 20 THEN deployed_at + 60000 + abs(random() % 86400000) END,
		CASE WHEN row % 1000 > 20 THEN deployed_at + 60000 + 86400000 END, deployed_at, deployed_at
	FROM deployments WHERE failed;

	INSERT INTO events (kind, project_id, environment, team_id, subject_id, occurred_at, recorded_at)
	SELECT 'deployment_deployed', project_id, environment, team_id, id, deployed_at, recorded_at
	FROM deployments WHERE deployed_at IS NOT NULL;
	`
	if _, err := pool.Exec(statements, now.UnixMilli()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkReads answers what the lists, the page and explain ask of a store
// that holds a million deployments and fifty thousand incidents of one year.
func BenchmarkReads(b *testing.B) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	s := openAt(b, at(now))
	fillYear(b, s.Path(), now)
	from, to := s.Window(365 * 24 * time.Hour)
	year := dora.Query{From: from, To: to}
	of := func(f dora.Filter) dora.Query { return dora.Query{From: from, To: to, Filter: f} }
	read := func(name string, do func(ctx context.Context) error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := do(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, f := range map[string]db.DeploymentFilter{
		"all": {}, "project": {Project: "project-7"}, "team": {Team: "team-7"}, "environment": {Environment: "old"},
		"absent-team": {Team: "nobody"}, "absent-environment": {Environment: "nowhere"},
		"project-environment": {Project: "project-9", Environment: "old"},
		"team-environment":    {Team: "team-9", Environment: "old"},
	} {
		f.Limit = 100
		read("deployments/"+name, func(ctx context.Context) error {
			_, _, err := s.Deployments(ctx, f)
			return err
		})
	}
	for name, f := range map[string]db.IncidentFilter{
		"all": {}, "project": {Project: "project-7"}, "team": {Team: "team-7"}, "environment": {Environment: "old"},
		"absent-team": {Team: "nobody"}, "absent-environment": {Environment: "nowhere"},
		"in-progress": {State: db.InProgress}, "unfinished": {State: db.Unfinished},
		"unfinished-absent-team": {State: db.Unfinished, Team: "nobody"},
	} {
		f.Limit = 100
		read("incidents/"+name, func(ctx context.Context) error {
			_, _, err := s.Incidents(ctx, f)
			return err
		})
	}
	read("names", func(ctx context.Context) error {
		_, err := s.Names(ctx, from, to)
		return err
	})
	for _, f := range dora.Figures() {
		for name, q := range map[string]dora.Query{"year": year, "absent-team": of(dora.Filter{Team: "nobody"})} {
			read("explain/"+string(f.Name)+"/"+name, func(ctx context.Context) error {
				_, _, err := s.Explain(ctx, f.Name, q, db.Everything, db.Page{Limit: 100})
				return err
			})
		}
	}
	weekly, byProject := year, year
	weekly.Interval, byProject.GroupBy.Project = dora.Weekly, true
	read("overview/year", func(ctx context.Context) error {
		byTeam := dora.GroupBy{Team: true, Environment: true}
		o, err := s.Overview(ctx, weekly, byTeam)
		if err != nil {
			return err
		}
		for _, by := range []dora.GroupBy{{Environment: true}, {Environment: true, Project: true}, byTeam} {
			if _, _, err := o.Top(ctx, by, 50); err != nil {
				return err
			}
		}
		return nil
	})
	for name, q := range map[string]dora.Query{
		"year": year, "year-weekly": weekly, "year-by-project": byProject,
		"year-of-project": of(dora.Filter{Project: "project-7"}), "year-of-team": of(dora.Filter{Team: "team-7"}),
		"year-of-environment": of(dora.Filter{Environment: "old"}),
	} {
		read("dora/"+name, func(ctx context.Context) error {
			_, err := s.Dora(ctx, q)
			return err
		})
	}
}
