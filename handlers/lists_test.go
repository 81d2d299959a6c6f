package handlers_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// filled starts a service with deployments a0 to a4 of project a and b0 to b4 of
// project b, started from 09:10 to 09:14, and incidents with the same names and
// times, of which the even ones are restored and the first ones closed.
func filled(t *testing.T) *service {
	s := start(t, withTeams(t, `{"teams": {"red": {"projects": ["a"]}, "blue": {"projects": ["b"]}}}`))
	for i := range 5 {
		at := fmt.Sprintf("@09:1%d", i)
		for _, project := range []string{"a", "b"} {
			environment := []string{"production", "staging"}[i%2]
			s.must("POST /deployments", fmt.Sprintf(`{"id": "%[1]s%[2]d", "project_id": %[1]q, "environment": %[3]q, "first_commit_at": "@09:00", "deploy_start_at": %[4]q}`,
				project, i, environment, at))
			s.must("POST /incidents", fmt.Sprintf(`{"id": "%[1]s%[2]d", "project_id": %[1]q, "environment": %[3]q, "started_at": %[4]q}`,
				project, i, environment, at))
			if i%2 == 0 {
				s.must(fmt.Sprintf("POST /incidents/%s%d/restored", project, i), "")
			}
			if i == 0 {
				s.must(fmt.Sprintf("POST /incidents/%s%d/finished", project, i), "")
			}
		}
	}
	return s
}

// listed returns the ids in a list.
func (a answer) listed(t *testing.T) (ids []string) {
	t.Helper()
	found, err := readJSON[[]struct {
		ID string `json:"id"`
	}]([]byte(a.body))
	if err != nil || a.status != 200 {
		t.Fatalf("%v in %s", err, a)
	}
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	return ids
}

func TestListsAreFiltered(t *testing.T) {
	s := filled(t)
	for query, want := range map[string]string{
		"/deployments":                                      "b4 a4 b3 a3 b2 a2 b1 a1 b0 a0",
		"/deployments?project_id=a":                         "a4 a3 a2 a1 a0",
		"/deployments?team_id=blue":                         "b4 b3 b2 b1 b0",
		"/deployments?environment=staging":                  "b3 a3 b1 a1",
		"/deployments?project_id=a&environment=staging":     "a3 a1",
		"/deployments?project_id=a&team_id=blue":            "",
		"/deployments?project_id=unknown":                   "",
		"/deployments?limit=3":                              "b4 a4 b3",
		"/deployments?limit=3&offset=2":                     "b3 a3 b2",
		"/deployments?offset=9":                             "a0",
		"/deployments?offset=10":                            "",
		"/deployments?offset=2147483647":                    "",
		"/deployments?limit=500":                            "b4 a4 b3 a3 b2 a2 b1 a1 b0 a0",
		"/api/v1/incidents":                                 "b4 a4 b3 a3 b2 a2 b1 a1 b0 a0",
		"/incidents?type=in-progress":                       "b3 a3 b1 a1",
		"/incidents?filter=in-progress":                     "b3 a3 b1 a1",
		"/incidents?type=in-progress&filter=in-progress":    "b3 a3 b1 a1",
		"/incidents?type=unfinished":                        "b4 a4 b3 a3 b2 a2 b1 a1",
		"/incidents?type=unfinished&project_id=a":           "a4 a3 a2 a1",
		"/incidents?type=unfinished&team_id=red":            "a4 a3 a2 a1",
		"/incidents?filter=unfinished&environment=staging":  "b3 a3 b1 a1",
		"/incidents?type=in-progress&limit=1&offset=3":      "a1",
		"/incidents?project_id=a&environment=production":    "a4 a2 a0",
		"/api/v1/deployments?project_id=b&limit=1&offset=1": "b3",
	} {
		if got := strings.Join(s.get(query).listed(t), " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestEmptyListIsAnArray(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/deployments", "/incidents?type=unfinished"} {
		if got := s.get(path); got.body != "[]\n" || got.header.Get("Link") != "" {
			t.Errorf("%s: %s", path, got)
		}
	}
}

var nextLink = regexp.MustCompile(`^<([^>]+)>; rel="next"$`)

// pages follows the links from a path to the last page.
func (s *service) pages(t *testing.T, path string) (pages [][]string) {
	t.Helper()
	for range 100 {
		got := s.get(path)
		pages = append(pages, got.listed(t))
		link := got.header.Get("Link")
		if link == "" {
			return pages
		}
		match := nextLink.FindStringSubmatch(link)
		if match == nil {
			t.Fatalf("Link: %s", link)
		}
		path = match[1]
	}
	t.Fatalf("%s has too many pages", path)
	return nil
}

func TestListPagesAreLinked(t *testing.T) {
	s := filled(t)
	for path, want := range map[string]string{
		"/deployments?limit=4":                             "[[b4 a4 b3 a3] [b2 a2 b1 a1] [b0 a0]]",
		"/deployments?limit=5":                             "[[b4 a4 b3 a3 b2] [a2 b1 a1 b0 a0]]",
		"/deployments?limit=1&project_id=a":                "[[a4] [a3] [a2] [a1] [a0]]",
		"/deployments?limit=3&offset=4":                    "[[b2 a2 b1] [a1 b0 a0]]",
		"/api/v1/incidents?limit=4":                        "[[b4 a4 b3 a3] [b2 a2 b1 a1] [b0 a0]]",
		"/incidents?limit=3&type=unfinished&project_id=b":  "[[b4 b3 b2] [b1]]",
		"/api/v1/incidents?limit=2&filter=in-progress":     "[[b3 a3] [b1 a1]]",
		"/incidents?limit=2&team_id=red&environment=stage": "[[]]",
	} {
		if got := fmt.Sprint(s.pages(t, path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// TestPagesAreStableWhileTheListGrows reads a list while a record is added: no other
// record is listed twice or left out.
func TestPagesAreStableWhileTheListGrows(t *testing.T) {
	s := filled(t)
	first := s.get("/deployments?limit=6&project_id=a")
	if first.header.Get("Link") != "" {
		t.Errorf("Link: %s", first.header.Get("Link"))
	}
	first = s.get("/deployments?limit=3&project_id=a")
	s.must("POST /deployments", `{"id": "a5", "project_id": "a", "first_commit_at": "@09:00"}`)
	rest := s.pages(t, nextLink.FindStringSubmatch(first.header.Get("Link"))[1])
	if fmt.Sprint(first.listed(t), rest) != "[a4 a3 a2] [[a1 a0]]" {
		t.Errorf("%v, then %v", first.listed(t), rest)
	}
}

func TestRecordsOfTheSameMomentArePagedWithoutGaps(t *testing.T) {
	s := start(t)
	var want []string
	for i := range 120 {
		id := fmt.Sprintf("%03d", i)
		s.must("POST /deployments", fmt.Sprintf(`{"id": %q, "project_id": "a", "first_commit_at": "@09:00"}`, id))
		want = append(want, id)
	}
	slices.Reverse(want)
	pages := s.pages(t, "/deployments")
	if len(pages) != 3 || len(pages[0]) != 50 {
		t.Errorf("%d pages, %d in the first", len(pages), len(pages[0]))
	}
	compare(t, "deployments", slices.Concat(pages...), want)
}

func TestListParametersAreValidated(t *testing.T) {
	const (
		limits  = "send an integer from 1 to 500"
		offsets = "send an integer from 0 to 2147483647"
		cursors = "400 cursor is invalid; follow the Link header unchanged"
		empty   = "is empty; send its value, or check that the variable it comes from is set"
		twice   = "appears more than once"
	)
	s := filled(t)
	for query, want := range map[string]string{
		"/deployments?limit=0":                          `400 limit is "0"; ` + limits,
		"/deployments?limit=501":                        `400 limit is "501"; ` + limits,
		"/deployments?limit=-1":                         `400 limit is "-1"; ` + limits,
		"/deployments?limit=ten":                        `400 limit is "ten"; ` + limits,
		"/deployments?limit=1.5":                        `400 limit is "1.5"; ` + limits,
		"/deployments?limit=99999999999999999999":       `400 limit is "99999999999999999999"; ` + limits,
		"/deployments?limit=":                           `400 limit ` + empty,
		"/deployments?offset=-1":                        `400 offset is "-1"; ` + offsets,
		"/deployments?offset=2147483648":                `400 offset is "2147483648"; ` + offsets,
		"/deployments?cursor=x":                         cursors,
		"/deployments?cursor=MQ":                        cursors,
		"/deployments?cursor=MS4":                       cursors,
		"/deployments?cursor=eC4x":                      cursors,
		"/deployments?project_id=":                      "400 project_id " + empty,
		"/deployments?project_id=a&project_id=b":        "400 project_id " + twice,
		"/deployments?project=a&environ=b":              "400 environ is not a known parameter; known parameters: state, commit, project_id, team_id, environment, limit, offset, cursor | project is not a known parameter; known parameters: state, commit, project_id, team_id, environment, limit, offset, cursor",
		"/deployments?type=in-progress":                 "400 type is not a known parameter; known parameters: state, commit, project_id, team_id, environment, limit, offset, cursor",
		"/deployments?project_id=%zz":                   "400 query is malformed; escape special characters, such as % as %25",
		"/deployments?project_id=%ff":                   "400 project_id is not valid UTF-8",
		"/deployments?a;b":                              "400 query is malformed; escape special characters, such as % as %25",
		"/deployments/a1?limit=1":                       "400 limit is not a known parameter; known parameters: project_id, environment",
		"/incidents?type=open":                          `400 type is "open"; send in-progress or unfinished`,
		"/incidents?filter=open":                        `400 filter is "open"; send in-progress or unfinished`,
		"/incidents?type=unfinished&filter=in-progress": "400 filter is an alias of type, but the values differ; send only one",
		"/incidents/a1?type=unfinished":                 "400 type is not a known parameter; known parameters: project_id, environment",
	} {
		if got := s.get(query); got.String() != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
}

func TestHeadIsServedWhereverGetIs(t *testing.T) {
	s := filled(t)
	for _, path := range []string{
		"/deployments?limit=1", "/deployments/a1", "/incidents", "/incidents/a1", "/metrics", "/health", "/ready",
		"/config", "/version", "/openapi.yaml", "/api/v1/deployments?limit=1",
	} {
		head, get := s.send("HEAD "+path, ""), s.get(path)
		if head.status != 200 || head.body != "" {
			t.Errorf("%s: %s", path, head)
		}
		for _, name := range []string{"Content-Type", "Link"} {
			if head.header.Get(name) != get.header.Get(name) {
				t.Errorf("%s: %s %q, GET has %q", path, name, head.header.Get(name), get.header.Get(name))
			}
		}
	}
	if got := s.send("HEAD /deployments/unknown", ""); got.status != http.StatusNotFound {
		t.Errorf("unknown: %s", got)
	}
}

func TestConfigAndVersion(t *testing.T) {
	s := start(t, withTeams(t, `{"teams": {"blue": {"projects": ["b"], "users": ["bob", {"github_username": "ann", "email": "ann@example.com"}]}}}`),
		func(o *setup) { o.Build.Version, o.Build.Revision, o.Build.Go = "v1.2.3", "abc", "go1.26" })
	if got, want := s.get("/config").body, `{"teams":{"blue":{"projects":["b"],"users":["bob",{"github_username":"ann","email":"ann@example.com"}]}}}`+"\n"; got != want {
		t.Errorf("config %s", got)
	}
	if got, want := s.get("/version").body, `{"version":"v1.2.3","revision":"abc","go":"go1.26"}`+"\n"; got != want {
		t.Errorf("version %s", got)
	}
	if got := start(t).get("/config").body; got != `{"teams":{}}`+"\n" {
		t.Errorf("config without teams %s", got)
	}
}

func TestDatesAreInUTCWithMilliseconds(t *testing.T) {
	s := start(t)
	s.now.Set(time.Date(2026, 3, 4, 12, 0, 0, 7e6, time.UTC))
	got := s.send("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "2026-03-04T08:00:00.12+02:00"}`)
	want := `{"id":"1","project_id":"shop","environment":"production","team_id":null,"first_commit_at":"2026-03-04T06:00:00.120Z","deploy_start_at":"2026-03-04T12:00:00.007Z","deployed_at":null,"rework":false}` + "\n"
	if got.body != want {
		t.Errorf("got %s want %s", got.body, want)
	}
}
