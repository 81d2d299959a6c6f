package db

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// plan returns how SQLite carries out a query, one step on each line.
func plan(t *testing.T, s *Store, statement string, args []any) string {
	t.Helper()
	steps, err := query(context.Background(), s.readers.lists, func(rows *sql.Rows) (step string, err error) {
		var id, parent, unused int
		err = rows.Scan(&id, &parent, &unused, &step)
		return step, err
	}, "EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}

// expectPlan checks that the rows are found by an index that has them in order:
// rows of the same time may have to be sorted, never all of them.
func expectPlan(t *testing.T, plan, index string) {
	t.Helper()
	if !strings.Contains(plan, "INDEX "+index+" ") && !strings.HasSuffix(plan, "INDEX "+index) ||
		strings.Contains(plan, "USE TEMP B-TREE FOR ORDER BY") {
		t.Errorf("want the index %s and no sorting; the plan is\n%s", index, plan)
	}
}

func TestListsUseAnIndex(t *testing.T) {
	s, _ := newStore(t)
	pages := []Page{{Limit: 10}, {Limit: 10, After: &Cursor{At: time.Now(), Row: 5}}}
	for _, f := range []struct{ project, team, environment, index string }{
		{"", "", "", "by_time"},
		{"p", "", "", "by_project"},
		{"", "t", "", "by_team"},
		{"", "", "e", "by_environment"},
		{"p", "t", "", "by_project"},
		{"p", "", "e", "by_project"},
		{"", "t", "e", "by_team"},
		{"p", "t", "e", "by_project"},
	} {
		for _, page := range pages {
			for _, before := range []time.Time{{}, time.Now()} {
				where := DeploymentFilter{Project: f.project, Team: f.team, Environment: f.environment, Before: before}.conditions()
				statement, args := deployments().pageOf(where, page)
				expectPlan(t, plan(t, s, statement, args), "deployments_"+f.index)
			}
			where := IncidentFilter{Project: f.project, Team: f.team, Environment: f.environment, OpenAt: time.Now()}.conditions()
			statement, args := incidents().pageOf(where, page)
			expectPlan(t, plan(t, s, statement, args), "incidents_"+f.index)
			for state, index := range map[IncidentState]string{AnyIncident: f.index, InProgress: "open", Unfinished: "unfinished", Restored: "unfinished"} {
				where := IncidentFilter{State: state, Project: f.project, Team: f.team, Environment: f.environment}.conditions()
				statement, args := incidents().pageOf(where, page)
				expectPlan(t, plan(t, s, statement, args), "incidents_"+index)
			}
		}
	}
}

func TestNamesUseAnIndex(t *testing.T) {
	s, _ := newStore(t)
	for column, index := range map[string]string{"project_id": "by_project", "team_id": "by_team", "environment": "by_environment"} {
		for table, statement := range map[string]string{"deployments": deployments().names(column), "incidents": incidents().names(column)} {
			steps := plan(t, s, statement, []any{1, 2})
			if strings.Count(steps, " INDEX "+table+"_"+index) != 3 || strings.Contains(steps, "SCAN "+table) {
				t.Errorf("want three searches in the index %s_%s and no scan; the plan is\n%s", table, index, steps)
			}
		}
	}
}

func TestExplainUsesAnIndex(t *testing.T) {
	s, _ := newStore(t)
	for _, f := range dora.Figures() {
		for _, filter := range []dora.Filter{{}, {Project: "p"}, {Team: "t"}, {Environment: "e"}, {Project: "p", Team: "t", Environment: "e"}} {
			for _, part := range []Part{Everything, Counted, NotCounted} {
				from, to := s.Window(time.Hour)
				statement, args := evidenceQuery(f, dora.Query{From: from, To: to, Filter: filter}, part, Page{Limit: 10})
				expectPlan(t, plan(t, s, statement, args), map[dora.Source]string{
					dora.DeployedDeployments:   "deployments_by_deployed_at",
					dora.RecoveredDeployments:  "incidents_by_restored_at",
					dora.UnfinishedDeployments: "deployments_unfinished",
					dora.StartedIncidents:      "incidents_by_time",
					dora.RestoredIncidents:     "incidents_by_restored_at",
					dora.OpenIncidents:         "incidents_by_time",
				}[f.Source])
			}
		}
	}
}
