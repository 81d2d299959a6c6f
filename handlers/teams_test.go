package handlers_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/em-metrics/em-metrics/handlers"
)

// withTeams gives a service a teams file with that content.
func withTeams(t testing.TB, content string) func(*setup) {
	t.Helper()
	teams, err := handlers.LoadTeams(teamsFile(t, content))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *setup) { o.Teams = teams }
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

func TestTheTeamIsFoundByProjectThenByUser(t *testing.T) {
	s := start(t, withTeams(t, company))
	for i, c := range []struct{ about, project, user, want string }{
		{"a project of one team", "shop", "", "red"},
		{"a project of one team, whoever did it", "shop", "ann", "red"},
		{"a project of several teams, and nobody named", "shared", "", ""},
		{"a project of several teams, a user of one", "shared", "bob", "red"},
		{"a project of several teams, a user of another", "shared", "tom", "grey"},
		{"a project of several teams, a user of several", "shared", "eve", ""},
		{"an unknown project, a user of one team", "new", "bob", "red"},
		{"an unknown project, a user of several teams", "new", "eve", ""},
		{"an unknown project, an unknown user", "new", "kim", ""},
		{"a user by the name on GitHub, in any case", "new", "aNN", "blue"},
		{"a user by mail address, in any case", "new", "Ann@Example.com", "blue"},
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

// TestTheOneTeamThatProjectAndUserShare has users of two teams, of which the
// project has one.
func TestTheOneTeamThatProjectAndUserShare(t *testing.T) {
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

func TestTheTeamOfADeploymentStays(t *testing.T) {
	tell(t, []story{
		{
			name:  "a deployment keeps its team to the end",
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
			name:  "a user named later fills in an unknown team",
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

func TestAChangeOfTheTeamsDoesNotRewriteHistory(t *testing.T) {
	path := teamsFile(t, `{"teams": {"red": {"projects": ["shop"]}}}`)
	teams, err := handlers.LoadTeams(path)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(o *setup) { o.Teams = teams })
	s.must("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00"}`)
	write(t, path, `{"teams": {"blue": {"projects": ["shop"]}}}`)
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

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mistakes are the files in testdata/teams, each with what is said about it.
var mistakes = map[string]string{
	"empty.json":            "it is not complete JSON: the object does not end",
	"truncated.json":        "it is not complete JSON: the object does not end",
	"not-json.json":         "it is not JSON: invalid character 'e' in literal true (expecting 'r') (line 1)",
	"trailing-comma.json":   "it is not JSON: invalid character ']' looking for beginning of value (line 4)",
	"comment.json":          "it is not JSON: invalid character '/' looking for beginning of object key string (line 3)",
	"byte-order-mark.json":  "it begins with a byte order mark: save it as UTF-8 without one",
	"latin1.json":           "it is not valid UTF-8",
	"two-objects.json":      "there is something after the JSON object",
	"list.json":             "the file is a list: it must be an object",
	"null.json":             `the key "teams" is required: {"teams": {"a-team": {"projects": ["a-project"], "users": ["a-user"]}}}`,
	"no-teams.json":         `the key "teams" is required: {"teams": {"a-team": {"projects": ["a-project"], "users": ["a-user"]}}}`,
	"teams-list.json":       "teams is a list: it must be an object",
	"team-list.json":        "teams.blue is a list: it must be an object",
	"projects-string.json":  "teams.blue.projects is a string: it must be a list",
	"project-number.json":   "teams.blue.projects is a number: it must be a string",
	"user-number.json":      "teams.blue.users is a number: it must be a name or an object",
	"user-list.json":        "teams.blue.users is a list: it must be a name or an object",
	"email-list.json":       "teams.blue.users.email is a list: it must be a string",
	"unknown-key.json":      `the key "team" is not known: the file has teams, a team has projects and users, a user is a name or has github_username and email`,
	"unknown-team-key.json": `teams.blue: the key "project" is not known: the file has teams, a team has projects and users, a user is a name or has github_username and email`,
	"unknown-user-key.json": `teams.blue: the key "mail" is not known: the file has teams, a team has projects and users, a user is a name or has github_username and email`,
	"team-twice.json":       "teams.blue: the key is there twice",
	"key-twice.json":        "teams.blue.projects: the key is there twice",
	"email-twice.json":      "teams.blue.users[1].email: the key is there twice",
	"team-no-name.json":     "teams.: is empty: send its value, or check that the variable it comes from is set",
	"project-empty.json":    "teams.blue.projects[1]: is empty: send its value, or check that the variable it comes from is set",
	"project-long.json":     "teams.blue.projects[0]: has 257 bytes: it may have 256",
	"project-control.json":  "teams.blue.projects[0]: must not contain control characters",
	"project-twice.json":    `teams.blue.projects[2]: "shop" is there twice`,
	"user-empty.json":       "teams.blue.users[0]: a name, github_username or email is required",
	"user-null.json":        "teams.blue.users[1]: a name, github_username or email is required",
	"user-no-name.json":     "teams.blue.users[0]: a name, github_username or email is required",
	"user-spaces.json":      "teams.blue.users[0]: is empty: send its value, or check that the variable it comes from is set",
}

func TestEveryMistakeInTheTeamsFileIsNamed(t *testing.T) {
	files, err := filepath.Glob("testdata/teams/*.json")
	if err != nil || len(files) != len(mistakes) {
		t.Errorf("%d files, %d mistakes, %v", len(files), len(mistakes), err)
	}
	for name, want := range mistakes {
		path := filepath.Join("testdata", "teams", name)
		_, err := handlers.LoadTeams(path)
		if want = "read teams from " + path + ": " + want; err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", name, err, want)
		}
	}
}

func TestAMissingTeamsFileIsNamed(t *testing.T) {
	_, err := handlers.LoadTeams(filepath.Join(t.TempDir(), "none.json"))
	if err == nil || !strings.Contains(err.Error(), "none.json: no such file or directory") {
		t.Error(err)
	}
}

func TestReloadKeepsTheTeamsOfBeforeWhenTheFileIsBad(t *testing.T) {
	path := teamsFile(t, `{"teams": {"red": {"projects": ["shop"]}}}`)
	teams, err := handlers.LoadTeams(path)
	if err != nil {
		t.Fatal(err)
	}
	for name := range mistakes {
		content, err := os.ReadFile(filepath.Join("testdata", "teams", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, string(content))
		if err := teams.Reload(); err == nil || teams.Find("shop", "") != "red" {
			t.Errorf("%s: %v, team %q", name, err, teams.Find("shop", ""))
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := teams.Reload(); err == nil || teams.Find("shop", "") != "red" {
		t.Errorf("no file: %v, team %q", err, teams.Find("shop", ""))
	}
	write(t, path, company)
	if err := teams.Reload(); err != nil || teams.Find("api", "") != "blue" {
		t.Errorf("a good file: %v, team %q", err, teams.Find("api", ""))
	}
	want := []handlers.Project{{ID: "api", Team: "blue"}, {ID: "shared"}, {ID: "shop", Team: "red"}}
	if got := teams.Projects(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("projects %v, want %v", got, want)
	}
}

func TestTeamsAreReadAgainWhileTheyAreInUse(t *testing.T) {
	path := teamsFile(t, company)
	teams, err := handlers.LoadTeams(path)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 200 {
				if got := teams.Find("shop", "bob"); got != "red" {
					t.Errorf("team %q", got)
				}
				if _, err := json.Marshal(teams); err != nil || len(teams.Projects()) != 3 {
					t.Errorf("%v, projects %v", err, teams.Projects())
				}
			}
		})
	}
	work.Go(func() {
		for range 50 {
			if err := teams.Reload(); err != nil {
				t.Error(err)
			}
		}
	})
	work.Wait()
}
