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
			where := DeploymentFilter{Project: f.project, Team: f.team, Environment: f.environment}.conditions()
			statement, args := deployments().pageOf(where, page)
			expectPlan(t, plan(t, s, statement, args), "deployments_"+f.index)
			for state, index := range map[IncidentState]string{AnyIncident: f.index, InProgress: "open", Unfinished: "unfinished"} {
				where := IncidentFilter{State: state, Project: f.project, Team: f.team, Environment: f.environment}.conditions()
				statement, args := incidents().pageOf(where, page)
				expectPlan(t, plan(t, s, statement, args), "incidents_"+index)
			}
		}
	}
}

func TestListsOfAStateUseAnIndex(t *testing.T) {
	s, _ := newStore(t)
	for _, f := range []struct {
		filter DeploymentFilter
		index  string
	}{
		{DeploymentFilter{State: StartedDeployment, Project: "p"}, "unfinished"},
		{DeploymentFilter{State: DeployedDeployment, Team: "t"}, "by_deployed_at"},
		{DeploymentFilter{State: DeployedDeployment, Project: "p", Environment: "e", Team: "t"}, "live"},
		{DeploymentFilter{State: AbortedDeployment, Environment: "e"}, "aborted"},
		{DeploymentFilter{State: FailedDeployment}, "failed"},
	} {
		for _, page := range []Page{{Limit: 10}, {Limit: 10, After: &Cursor{At: time.Now(), Row: 5}}} {
			statement, args := f.filter.relation().pageOf(f.filter.conditions(), page)
			expectPlan(t, plan(t, s, statement, args), "deployments_"+f.index)
		}
	}
	for _, state := range []DeploymentState{AnyDeployment, StartedDeployment, DeployedDeployment, AbortedDeployment, FailedDeployment} {
		f := DeploymentFilter{State: state, Commit: "v1", Project: "p", Environment: "e"}
		statement, args := f.relation().pageOf(f.conditions(), Page{Limit: 10})
		if steps := plan(t, s, statement, args); !strings.Contains(steps, "SEARCH deployments USING INDEX deployments_by_commit (commit_key=?") {
			t.Errorf("the plan is\n%s", steps)
		}
	}
}

// TestNeighborsUseIndexes checks that to find out whether a deployment is a rollback
// reads no table as a whole.
func TestNeighborsUseIndexes(t *testing.T) {
	s, _ := newStore(t)
	for _, statement := range []string{neighborDeployments, neighborIncidents} {
		steps := plan(t, s, statement, []any{"1", "p", "e", nil, 1, "v1", "v1"})
		if strings.Contains(steps, "SCAN deployments") || strings.Contains(steps, "SCAN incidents") || strings.Contains(steps, "SCAN i\n") {
			t.Errorf("the plan is\n%s", steps)
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
			from, to := s.Window(time.Hour)
			for i, table := range tablesOf(f.Source) {
				statement, args := evidenceQuery(f, table, dora.Query{From: from, To: to, Filter: filter}, Page{Limit: 10})
				expectPlan(t, plan(t, s, statement, args), map[dora.Source][]string{
					dora.DeployedDeployments:   {"deployments_by_deployed_at"},
					dora.RecoveredDeployments:  {"incidents_by_restored_at", "deployments_rolled_back"},
					dora.DeployedCommits:       {"deployments_with_commits"},
					dora.UnfinishedDeployments: {"deployments_unfinished"},
					dora.AbortedDeployments:    {"deployments_aborted"},
					dora.StartedIncidents:      {"incidents_by_time"},
					dora.RestoredIncidents:     {"incidents_by_restored_at"},
					dora.OpenIncidents:         {"incidents_by_time"},
				}[f.Source][i])
			}
		}
	}
}
