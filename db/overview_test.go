package db_test

import (
	"context"
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
// for.
func expectOverview(t *testing.T, s *db.Store, q dora.Query, projects int, byProject []dora.Group) {
	t.Helper()
	const n = 3
	o, err := s.Overview(context.Background(), q, n, dora.GroupBy{Project: true}, dora.GroupBy{Team: true})
	if err != nil {
		t.Fatal(err)
	}
	q.GroupBy = dora.GroupBy{}
	all, err := s.Dora(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	q.GroupBy, q.Interval = dora.GroupBy{Team: true}, dora.NoInterval
	byTeam, err := s.Dora(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	want := db.Overview{All: all[0], Tops: []db.Top{{All: projects}, {All: len(byTeam)}}}
	for i, groups := range [][]dora.Group{byProject, byTeam} {
		slices.SortStableFunc(groups, func(a, b dora.Group) int { return int(b.Deployments - a.Deployments) })
		want.Tops[i].Groups = groups[:min(n, len(groups))]
	}
	if !reflect.DeepEqual(o, want) {
		t.Fatalf("query %+v\n got %+v\nwant %+v", q, o, want)
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
		byProject := q
		byProject.Interval, byProject.GroupBy = dora.NoInterval, dora.GroupBy{Project: true}
		groups, err := s.Dora(context.Background(), byProject)
		if err != nil {
			t.Fatal(err)
		}
		expectOverview(t, s, q, len(groups), groups)
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
	expectOverview(t, s, q, projects, groups)
}
