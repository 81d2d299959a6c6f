package db_test

import (
	"database/sql"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// expectOverview compares an overview with the answers to the queries it stands
// for: of everything, and of the three groups with the most deployments.
func expectOverview(t *testing.T, s *db.Store, q dora.Query, by dora.GroupBy, groups []dora.Group, number int) {
	t.Helper()
	const n = 3
	q.GroupBy = dora.GroupBy{}
	var teams []dora.GroupBy
	if by.Team {
		teams = append(teams, by)
	}
	o, err := s.Overview(t.Context(), q, teams...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Dora(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(o.All, all[0]) {
		t.Fatalf("query %+v\n got %+v\nwant %+v", q, o.All, all[0])
	}
	totals, err := s.DoraTotals(t.Context(), q)
	if err != nil || !reflect.DeepEqual(totals, all[0].Totals) {
		t.Fatalf("totals of %+v (%v)\n got %+v\nwant %+v", q, err, totals, all[0].Totals)
	}
	slices.SortStableFunc(groups, func(a, b dora.Group) int { return int(b.Deployments - a.Deployments) })
	want := groups[:min(n, len(groups))]
	top, count, err := o.Top(t.Context(), by, n)
	if err != nil || count != number || len(top)+len(want) > 0 && !reflect.DeepEqual(top, want) {
		t.Fatalf("query %+v by %+v: %d groups (%v)\n got %+v\nwant %+v", q, by, count, err, top, want)
	}
}

func TestOverviewIsTheSameAsItsQueries(t *testing.T) {
	s := openAt(t, at(doraNow))
	wipe := wiper(t, s.Path())
	random := rand.New(rand.NewPCG(2026, 11))
	for range 100 {
		h := randomHistory(random)
		h.store(t, s)
		q := randomQuery(random, h)
		for _, by := range []dora.GroupBy{{Project: true}, {Environment: true}, {Project: true, Environment: true}, {Team: true}, {Team: true, Environment: true}} {
			grouped := q
			grouped.Interval, grouped.GroupBy = dora.NoInterval, by
			groups, err := s.Dora(t.Context(), grouped)
			if err != nil {
				t.Fatal(err)
			}
			expectOverview(t, s, q, by, groups, len(groups))
		}
		wipe()
	}
}

// With more projects than one query may have, the overview has those with the
// most deployments all the same.
func TestOverviewOfVeryManyProjects(t *testing.T) {
	const projects = dora.MaxGroups + 5
	s := openAt(t, at(doraNow))
	pool, err := sql.Open("sqlite", "file:"+s.Path()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	// The last project has three deployments, the one before two, all others one.
	_, err = pool.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + 3)
		INSERT INTO deployments (project_id, environment, id, first_commit_at, deployed_at, began_at, recorded_at)
		SELECT printf('project-%06d', CASE WHEN i <= ?1 THEN i WHEN i = ?1 + 1 THEN ?1 - 1 ELSE ?1 END), 'production', i, ?2, ?2, ?2, ?2
		FROM n`, projects, doraNow.Add(-time.Hour).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	q := dora.Query{From: doraNow.AddDate(0, 0, -7), To: doraNow, Interval: dora.Daily}
	byProject := q
	byProject.Interval, byProject.GroupBy = dora.NoInterval, dora.GroupBy{Project: true}
	if _, err := s.Dora(t.Context(), byProject); !db.HasCode(err, db.Invalid) {
		t.Fatalf("the groups of %d projects: %v", projects, err)
	}
	var groups []dora.Group
	for _, name := range []string{"project-010005", "project-010004", "project-000001"} {
		byProject.Project = name
		group, err := s.Dora(t.Context(), byProject)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, group...)
	}
	expectOverview(t, s, q, dora.GroupBy{Project: true}, groups, projects)
}
