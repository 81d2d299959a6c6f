package catalog_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/em-metrics/em-metrics/handlers/catalog"
)

func teamsFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "teams.json")
	write(t, path, content)
	return path
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

const company = `{"teams": {
	"red":  {"projects": ["shop", "shared"], "users": ["bob", "eve"]},
	"blue": {"projects": ["api", "shared"],  "users": [{"github_username": "Ann", "email": "ann@example.com"}, "eve"]},
	"grey": {"users": ["tom", "eve"]}
}}`

// mistakes are the files in testdata, each with its error message.
var mistakes = map[string]string{
	"empty.json":            "the file is empty",
	"truncated.json":        "the file is incomplete: the JSON object does not end",
	"not-json.json":         "the file is not valid JSON: invalid character 'e' in literal true (expecting 'r') (line 1, column 2)",
	"trailing-comma.json":   "the file is not valid JSON: invalid character ']' looking for beginning of value (line 4, column 28)",
	"comment.json":          "the file is not valid JSON: invalid character '/' looking for beginning of object key string (line 3, column 5)",
	"byte-order-mark.json":  "the file starts with a byte order mark; use UTF-8 without one",
	"latin1.json":           "the file is not valid UTF-8",
	"two-objects.json":      "the file has data after the JSON object",
	"list.json":             "the file must be an object, not a list",
	"null.json":             "the file must be an object, not null",
	"teams-list.json":       "teams must be an object, not a list",
	"team-list.json":        "teams.blue must be an object, not a list",
	"projects-string.json":  "teams.blue.projects must be a list, not a string",
	"project-number.json":   "teams.blue.projects[0] must be a string",
	"user-number.json":      "teams.blue.users[0] must be a name or an object",
	"user-list.json":        "teams.blue.users[0] must be a name or an object",
	"email-list.json":       "teams.blue.users[0].email must be a string, not a list",
	"unknown-key.json":      "team is not a known field; known fields: teams",
	"key-case.json":         "Teams is not a known field; known fields: teams",
	"unknown-team-key.json": "teams.blue.project is not a known field; known fields: projects, users",
	"unknown-user-key.json": "teams.blue.users[0].mail is not a known field; known fields: github_username, email",
	"team-twice.json":       "teams.blue appears more than once",
	"key-twice.json":        "teams.blue.projects appears more than once",
	"email-twice.json":      "teams.blue.users[1].email appears more than once",
	"team-no-name.json":     `the team name "" must not be empty`,
	"project-empty.json":    "teams.blue.projects[1] must not be empty",
	"project-long.json":     "teams.blue.projects[0] is 257 bytes long; at most 256 are allowed",
	"project-control.json":  "teams.blue.projects[0] must not contain control characters",
	"project-twice.json":    `teams.blue.projects[2]: "shop" appears more than once`,
	"user-empty.json":       "teams.blue.users[0] must have a name, github_username or email",
	"user-null.json":        "teams.blue.users[1] must be a name or an object",
	"user-no-name.json":     "teams.blue.users[0] must have a name, github_username or email",
	"user-spaces.json":      "teams.blue.users[0] must not be empty",
}

func TestEveryMistakeIsReportedWithItsPlace(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(mistakes) {
		t.Errorf("%d files, %d mistakes, %v", len(files), len(mistakes), err)
	}
	for name, want := range mistakes {
		path := filepath.Join("testdata", name)
		_, err := catalog.Load(path)
		if want = "read teams from " + path + ": " + want; err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", name, err, want)
		}
	}
}

// TestEverythingIsOptional loads files without teams, projects or users.
func TestEverythingIsOptional(t *testing.T) {
	for _, content := range []string{
		`{}`, `{"teams": null}`, `{"teams": {}}`, `{"teams": {"red": {}}}`, `{"teams": {"red": null}}`,
		`{"teams": {"red": {"projects": null, "users": null}}}`, `{"teams": {"red": {"projects": [], "users": []}}}`,
	} {
		c, err := catalog.Load(teamsFile(t, content))
		if err != nil || len(c.Projects()) > 0 || len(c.Ignored()) > 0 {
			t.Errorf("%s: %v, projects %v, ignored %v", content, err, c.Projects(), c.Ignored())
		}
	}
}

// TestKeysOfTheOlderServiceAreIgnored loads a file with every key that the older
// service knows.
func TestKeysOfTheOlderServiceAreIgnored(t *testing.T) {
	c, err := catalog.Load(teamsFile(t, `{
		"teams": {"red": {
			"id": "r", "github_team_name": "the-reds", "linear_team_id": "l-1", "projects": ["shop"],
			"users": [{"github_username": "ann", "slack_member_id": "U1"}, {"slack_member_id": "U2"}, "bob"]
		}},
		"ticketing": {"linear": {"ignore_parent_issues": true}},
		"version_control": {"commits": {"ai_author_emails": ["bot@example.com"]}}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "[github_team_name id linear_team_id slack_member_id ticketing version_control]"
	if got := fmt.Sprint(c.Ignored()); got != want {
		t.Errorf("ignored %s, want %s", got, want)
	}
	shown, err := json.Marshal(c)
	if err != nil || string(shown) != `{"teams":{"red":{"projects":["shop"],"users":[{"github_username":"ann"},"bob"]}}}` {
		t.Errorf("%s, %v", shown, err)
	}
	if c.Team("shop", "") != "red" || c.Team("x", "ann") != "red" || c.Team("x", "bob") != "red" {
		t.Error("the teams are not those of the file")
	}
}

func TestMissingFileIsReported(t *testing.T) {
	_, err := catalog.Load(filepath.Join(t.TempDir(), "none.json"))
	if err == nil || !strings.Contains(err.Error(), "none.json: no such file or directory") {
		t.Error(err)
	}
}

func TestReloadKeepsThePreviousTeamsOnErrors(t *testing.T) {
	path := teamsFile(t, `{"teams": {"red": {"projects": ["shop"]}}}`)
	c, err := catalog.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for name := range mistakes {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, string(content))
		if err := c.Reload(); err == nil || c.Team("shop", "") != "red" {
			t.Errorf("%s: %v, team %q", name, err, c.Team("shop", ""))
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); err == nil || c.Team("shop", "") != "red" {
		t.Errorf("no file: %v, team %q", err, c.Team("shop", ""))
	}
	write(t, path, company)
	if err := c.Reload(); err != nil || c.Team("api", "") != "blue" {
		t.Errorf("a good file: %v, team %q", err, c.Team("api", ""))
	}
	want := []catalog.Project{{ID: "api", Team: "blue"}, {ID: "shared"}, {ID: "shop", Team: "red"}}
	if got := c.Projects(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("projects %v, want %v", got, want)
	}
}

func TestConcurrentReload(t *testing.T) {
	path := teamsFile(t, company)
	c, err := catalog.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 200 {
				if got := c.Team("shop", "bob"); got != "red" {
					t.Errorf("team %q", got)
				}
				if _, err := json.Marshal(c); err != nil || len(c.Projects()) != 3 {
					t.Errorf("%v, projects %v", err, c.Projects())
				}
			}
		})
	}
	work.Go(func() {
		for range 50 {
			if err := c.Reload(); err != nil {
				t.Error(err)
			}
		}
	})
	work.Wait()
}

func FuzzCatalog(f *testing.F) {
	f.Add([]byte(company))
	f.Add([]byte(`{"teams": {"red": {"id": 1, "users": [{"slack_member_id": "U2"}, {"email": "a", "slack_member_id": ""}]}}, "ticketing": {}}`))
	for name := range mistakes {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		teams, err := catalog.Parse(content)
		if err != nil {
			if err.Error() == "" || teams != nil {
				t.Fatalf("%+v, %v", teams, err)
			}
			return
		}
		// The marshaled catalog is a valid file.
		shown, err := json.Marshal(teams)
		if err != nil {
			t.Fatal(err)
		}
		again, err := catalog.Parse(shown)
		if err != nil {
			t.Fatalf("%s is marshaled as %s: %v", content, shown, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != string(shown) {
			t.Fatalf("%s and then %s, %v", shown, twice, err)
		}
	})
}
