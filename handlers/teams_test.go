package handlers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/em-metrics/em-metrics/handlers/catalog"
)

// withTeams configures a service with a teams file of that content.
func withTeams(t testing.TB, content string) func(*setup) {
	t.Helper()
	teams, err := catalog.Load(teamsFile(t, content))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *setup) { o.Catalog = teams }
}

func teamsFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "teams.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const company = `{"teams": {
	"red":   {"projects": ["shop", "shared"], "users": ["bob", "eve"]},
	"blue":  {"projects": ["api", "shared"],  "users": [{"github_username": "Ann", "email": "ann@example.com"}, "eve"]},
	"green": {"projects": ["shared"],         "users": ["eve"]},
	"grey":  {"users": ["tom", "eve"]}
}}`

func TestTeamIsFoundByProjectThenByUser(t *testing.T) {
	s := start(t, withTeams(t, company))
	for i, c := range []struct{ about, project, user, want string }{
		{"a project of one team", "shop", "", "red"},
		{"a project of one team, regardless of the user", "shop", "ann", "red"},
		{"a project of several teams, no user", "shared", "", ""},
		{"a project of several teams, a user of one", "shared", "bob", "red"},
		{"a project of several teams, a user of another", "shared", "tom", "grey"},
		{"a project of several teams, a user of several", "shared", "eve", ""},
		{"an unknown project, a user of one team", "new", "bob", "red"},
		{"an unknown project, a user of several teams", "new", "eve", ""},
		{"an unknown project, an unknown user", "new", "kim", ""},
		{"a user by GitHub name, in any case", "new", "aNN", "blue"},
		{"a user by email address, in any case", "new", "Ann@Example.com", "blue"},
	} {
		body := fmt.Sprintf(`{"id": "%d", "project_id": %q, "first_commit_at": "@10:00", "user": %q}`, i, c.project, c.user)
		got, err := readJSON[struct {
			Team *string `json:"team_id"`
		}]([]byte(s.send("POST /deployments", body).body))
		if err != nil || c.want == "" && got.Team != nil || c.want != "" && (got.Team == nil || *got.Team != c.want) {
			t.Errorf("%s: %v", c.about, show(got.Team))
		}
	}
}

// TestTeamSharedByProjectAndUser: both belong to two teams and share one.
func TestTeamSharedByProjectAndUser(t *testing.T) {
	s := start(t, withTeams(t, `{"teams": {
		"red":  {"projects": ["shared"], "users": ["eve"]},
		"blue": {"projects": ["shared"]},
		"grey": {"users": ["eve"]}
	}}`))
	if got := s.send("POST /incidents", `{"id": "1", "project_id": "shared", "user": "eve"}`); got.String() != "201 shared/production/1 of red started 12:00" {
		t.Error(got)
	}
}

func show(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func TestTeamOfADeploymentDoesNotChange(t *testing.T) {
	tell(t, []story{
		{
			name:  "a deployment keeps its team",
			setup: []func(*setup){withTeams(t, company)},
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shared", "first_commit_at": "@10:00", "user": "bob"}`,
					want: "201 shared/production/1 of red commit 10:00 start 12:00"},
				{request: "POST /deployments/1/deployed", body: `{"user": "tom"}`,
					want: "200 shared/production/1 of red commit 10:00 start 12:00 deployed 12:00"},
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shared", "deployment_id": "1", "user": "tom"}`,
					want: "201 shared/production/1 of grey by 1 started 12:00"},
			},
			events: []string{
				"deployment_started shared/production/1 of red at 12:00:00",
				"deployment_deployed shared/production/1 of red at 12:00:00",
				"incident_started shared/production/1 of grey at 12:00:00",
				"change_failed shared/production/1 of red at 12:00:00",
			},
			metrics: []string{
				"change_failure_count shared/production of red 1",
				"deployment_duration shared/production of red 1 0",
				"deployment_frequency shared/production of red 1",
				"deployment_started shared/production of red 1",
				"incident_count shared/production of grey 1",
				"lead_time_for_changes shared/production of red 1 7200",
				"time_to_detect shared/production of grey 1 0",
			},
		},
		{
			name:  "a user in a later call fills in an unknown team",
			setup: []func(*setup){withTeams(t, company)},
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "new", "first_commit_at": "@10:00"}`, once: true,
					want: "201 new/production/1 commit 10:00 start 12:00"},
				{request: "POST /deployments/1/deployed", body: `{"username": "bob"}`,
					want: "200 new/production/1 of red commit 10:00 start 12:00 deployed 12:00"},
				{request: "POST /deployments", body: `{"id": "2", "project_id": "new", "first_commit_at": "@10:00"}`, once: true,
					want: "201 new/production/2 commit 10:00 start 12:00"},
				{request: "POST /deployments", body: `{"id": "2", "project_id": "new", "first_commit_at": "@10:00", "user": "tom"}`,
					want: "200 new/production/2 of grey commit 10:00 start 12:00"},
				{request: "POST /incidents", body: `{"id": "1", "project_id": "new"}`, once: true,
					want: "201 new/production/1 started 12:00"},
				{request: "POST /incidents/1/restored", body: `{"user": "tom"}`,
					want: "200 new/production/1 of grey started 12:00 restored 12:00"},
				{request: "POST /incidents/1/finished", body: `{"user": "bob"}`,
					want: "200 new/production/1 of grey started 12:00 restored 12:00 finished 12:00"},
			},
			events: []string{
				"deployment_started new/production/1 at 12:00:00",
				"deployment_deployed new/production/1 of red at 12:00:00",
				"deployment_started new/production/2 at 12:00:00",
				"incident_started new/production/1 at 12:00:00",
				"incident_restored new/production/1 of grey at 12:00:00",
				"incident_finished new/production/1 of grey at 12:00:00",
			},
			metrics: []string{
				"deployment_duration new/production of red 1 0",
				"deployment_frequency new/production of red 1",
				"deployment_started new/production 2",
				"incident_count new/production 1",
				"incident_finished new/production of grey 1",
				"incident_restored new/production of grey 1",
				"lead_time_for_changes new/production of red 1 7200",
				"time_to_restore new/production of grey 1 0",
			},
		},
	})
}

func TestReloadedTeamsDoNotRewriteHistory(t *testing.T) {
	path := teamsFile(t, `{"teams": {"red": {"projects": ["shop"]}}}`)
	teams, err := catalog.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(o *setup) { o.Catalog = teams })
	s.must("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00"}`)
	if err := os.WriteFile(path, []byte(`{"teams": {"blue": {"projects": ["shop"]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := teams.Reload(); err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]string{
		"POST /deployments/1/deployed": "200 shop/production/1 of red commit 10:00 start 12:00 deployed 12:00",
		"GET /deployments/1":           "200 shop/production/1 of red commit 10:00 start 12:00 deployed 12:00",
	} {
		if got := s.send(request, ""); request[:3] == "POS" && got.String() != want {
			t.Errorf("%s: %s", request, got)
		}
	}
	if got := s.send("POST /deployments", `{"id": "2", "project_id": "shop", "first_commit_at": "@10:00"}`); got.String() != "201 shop/production/2 of blue commit 10:00 start 12:00" {
		t.Error(got)
	}
}
