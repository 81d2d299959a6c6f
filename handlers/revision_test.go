package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/handlers"
)

// revisionText describes what a deployment says about its revision.
func revisionText(found map[string]any) (text string) {
	for _, f := range []struct{ name, word string }{
		{"commit", "revision"}, {"commit_count", "commits"}, {"aborted_at", "aborted"}, {"rollback", "rollback"},
		{"failed_because", "failed by"}, {"rolled_back_by", "rolled back by"}, {"live", "live"},
	} {
		if value, ok := found[f.name]; ok {
			text += " " + f.word + " " + strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(value), "2026-03-04T"), ":00.000Z")
		}
	}
	if reason, ok := found["lead_time"].(map[string]any); ok {
		text += fmt.Sprintf(" no lead time: %v", reason["unknown_because"])
	}
	return text
}

const (
	shaA = "aaaaaaa1d9e8b7c6d5e4f3a2b1c0d9e8f7a6b5c4"
	shaB = "bbbbbbb2d9e8b7c6d5e4f3a2b1c0d9e8f7a6b5c4"
)

func TestRevisions(t *testing.T) {
	tell(t, []story{
		{
			name: "the first commit is the earliest one",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "commit": "` + shaA + `", "deploy_start_at": "@11:00",
					"commits": [{"sha": "` + shaA + `", "at": "@10:30"}, {"sha": "` + shaB + `", "at": "@09:00"}, {"sha": "v1", "at": "@10:00"}]}`,
					want: "201 shop/production/1 commit 09:00 start 11:00 revision " + shaA + " commits 3"},
				{request: "POST /deployments/1/deployed", want: "200 shop/production/1 commit 09:00 start 11:00 deployed 12:00 revision " + shaA + " commits 3"},
				{request: "GET /deployments/1", want: "200 shop/production/1 commit 09:00 start 11:00 deployed 12:00 revision " + shaA + " commits 3"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 12:00:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 3600",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 10800",
			},
		},
		{
			name: "an unknown lead time has a reason, and no sample",
			steps: []step{
				{request: "POST /deployments/1/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "commit": "` + shaA + `", "deployed_at": "@11:00"}`,
					want: "201 shop/production/1 deployed 11:00 revision " + shaA + " no lead time: first_deployment"},
				{request: "POST /deployments/2/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": null, "deployed_at": "@11:10"}`,
					want: "201 shop/production/2 deployed 11:10 no lead time: commits_unknown"},
				{request: "POST /deployments/3/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "commit": "v3", "commits": [], "deployed_at": "@11:20"}`,
					want: "201 shop/production/3 deployed 11:20 revision v3 commits 0 no lead time: no_commits"},
				{request: "POST /deployments/4/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "commit": "v4", "first_commit_at": "@11:00", "deployed_at": "@11:30"}`,
					want: "201 shop/production/4 commit 11:00 deployed 11:30 revision v4"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 11:00:00",
				"deployment_started shop/production/2 at 11:10:00",
				"deployment_deployed shop/production/2 at 11:10:00",
				"deployment_started shop/production/3 at 11:20:00",
				"deployment_deployed shop/production/3 at 11:20:00",
				"deployment_started shop/production/4 at 11:30:00",
				"deployment_deployed shop/production/4 at 11:30:00",
			},
			metrics: []string{
				"deployment_frequency shop/production 4",
				"deployment_started shop/production 4",
				"lead_time_for_changes shop/production 1 1800",
			},
		},
		{
			name: "what was unknown at the start is filled in at the end, and the first values stay",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": null, "deploy_start_at": "@11:00"}`,
					want: "201 shop/production/1 start 11:00"},
				{request: "POST /deployments/1/deployed", body: `{"commit": "AAAAAAA1D9", "commits": [{"sha": "AAAAAAA1D9", "at": "@10:00"}]}`,
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 12:00 revision aaaaaaa1d9 commits 1"},
				{request: "POST /deployments/1/deployed", body: `{"commit": "` + shaA + `", "commits": [], "first_commit_at": "@09:00"}`,
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 12:00 revision aaaaaaa1d9 commits 1"},
				{request: "POST /deployments/1/deployed", body: `{"commit": "` + shaB + `"}`,
					want: `409 commit is already recorded as "aaaaaaa1d9"; send the same value or omit the field`},
				{request: "POST /deployments/1/deployed", body: `{"first_commit_at": "@09:00"}`,
					want: "409 first_commit_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 12:00:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 3600",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 7200",
			},
		},
	})
}

func TestAbortedDeployments(t *testing.T) {
	tell(t, []story{{
		name: "a pipeline fails, and its run is repeated",
		steps: []step{
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "commit": "v1", "deploy_start_at": "@11:00"}`,
				want: "201 shop/production/1 start 11:00 revision v1"},
			{request: "POST /deployments/1/aborted", body: `{"date": "@11:10"}`,
				want: "200 shop/production/1 start 11:00 revision v1 aborted 11:10", once: true},
			{request: "POST /deployments/1/aborted",
				want: "200 shop/production/1 start 11:00 revision v1 aborted 11:10", once: true},
			{request: "POST /deployments/2/aborted", body: `{"project_id": "shop"}`,
				want: `404 id "2" does not match any deployment in project_id "shop" | create_if_not_exists is not set; send true with project_id and first_commit_at to create the deployment in this call`},
			{request: "POST /deployments/2/aborted", body: `{"id": "2", "project_id": "shop", "create_if_not_exists": true, "commit": "v2", "date": "@11:20"}`,
				want: "201 shop/production/2 revision v2 aborted 11:20"},
			{request: "POST /deployments/3/aborted", body: `{"project_id": "shop", "create_if_not_exists": true}`,
				want: "400 first_commit_at is required, because the deployment is not recorded yet"},
			{request: "POST /deployments/4/aborted", body: `{"project_id": "shop", "create_if_not_exists": true, "commit": "v", "date": "@13:00"}`,
				want: "422 date is 2026-03-04T13:00:00.000Z, which is in the future: the time is now 2026-03-04T12:00:00.000Z"},
			{request: "POST /deployments/1/deployed", body: `{"deployed_at": "@11:30"}`,
				want: "200 shop/production/1 start 11:00 deployed 11:30 revision v1 aborted 11:10 no lead time: first_deployment"},
			{request: "POST /deployments/1/aborted",
				want: "409 deployed_at is already recorded as 2026-03-04T11:30:00.000Z; a deployment that is deployed cannot be aborted"},
		},
		events: []string{
			"deployment_started shop/production/1 at 11:00:00",
			"deployment_aborted shop/production/1 at 11:10:00",
			"deployment_started shop/production/2 at 11:20:00",
			"deployment_aborted shop/production/2 at 11:20:00",
			"deployment_deployed shop/production/1 at 11:30:00",
		},
		metrics: []string{
			"deployment_aborted shop/production 2",
			"deployment_duration shop/production 1 1800",
			"deployment_frequency shop/production 1",
			"deployment_started shop/production 2",
		},
	}})
}

// TestLiveDeployment finds the commit that is live, which is not that of the
// deployment that began last.
func TestLiveDeployment(t *testing.T) {
	s := start(t)
	for _, d := range []struct{ id, environment, commit, start, deployed string }{
		{"1", "production", "v1", "@09:00", "@11:30"}, {"2", "production", "v2", "@10:00", "@11:00"},
		{"3", "staging", "v3", "@11:00", "@11:40"}, {"4", "production", "v4", "@11:20", ""},
	} {
		s.must("POST /deployments", fmt.Sprintf(`{"id": %q, "project_id": "shop", "environment": %q, "commit": %q, "deploy_start_at": %q}`,
			d.id, d.environment, d.commit, d.start))
		if d.deployed != "" {
			s.must("POST /deployments/"+d.id+"/deployed", fmt.Sprintf(`{"deployed_at": %q}`, d.deployed))
		}
	}
	s.must("POST /deployments/5/aborted", `{"project_id": "shop", "create_if_not_exists": true, "commit": "`+shaA+`"}`)
	s.must("POST /incidents", `{"project_id": "shop", "deployment_id": "2"}`)
	for query, want := range map[string]string{
		"project_id=shop&environment=production&state=deployed&limit=1": "1",
		"project_id=shop&environment=production&state=deployed":         "1 2",
		"project_id=shop&state=deployed":                                "3 1 2",
		"state=deployed&commit=v2":                                      "2",
		"state=started":                                                 "4",
		"state=aborted":                                                 "5",
		"state=failed":                                                  "2",
		"commit=aaaaaaa":                                                "5",
		"commit=" + shaA + "00":                                         "5",
		"commit=aaaaaa":                                                 "",
		"commit=v3":                                                     "3",
	} {
		if got := strings.Join(s.get("/deployments?"+query).listed(t), " "); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if got := fmt.Sprint(s.pages(t, "/deployments?project_id=shop&environment=production&state=deployed&limit=1")); got != "[[1] [2]]" {
		t.Errorf("pages of deployed deployments: %s", got)
	}
	repeated := s.must("POST /deployments/2/deployed", `{"project_id": "shop", "environment": "production"}`)
	if want := `"live":false}`; !strings.Contains(repeated.body, want) {
		t.Errorf("a repeat of what is no longer live: got %s, want %s in it", repeated.body, want)
	}
	if repeated := s.must("POST /deployments/1/deployed", ""); strings.Contains(repeated.body, "live") {
		t.Errorf("a repeat of what is live: %s", repeated.body)
	}
}

func TestCommitsAreValidated(t *testing.T) {
	s := start(t)
	list := func(n int) string {
		var commits []string
		for i := range n {
			commits = append(commits, fmt.Sprintf(`{"sha": "%040x", "at": "2026-03-04T10:00:00+02:00"}`, i))
		}
		return "[" + strings.Join(commits, ", ") + "]"
	}
	for _, c := range []struct{ commits, want string }{
		{list(5000), "201 shop/production/5000 commit 08:00 start 12:00 commits 5000"},
		{list(5001), "400 commits has 5001 commits; at most 5000 are allowed: omit the field and send first_commit_at"},
		{`{}`, "400 commits must be a list, not an object"},
		{`[{"sha": "a", "at": "@10:00", "author": "bob"}]`, "400 commits[0].author is not a known field; known fields: sha, at"},
		{`[{"SHA": "a", "at": "@10:00"}]`, "400 commits[0].SHA is not a known field; known fields: sha, at"},
		{`[{"sha": "a", "at": "@10:00"}, {"sha": "a", "at": "@10:00"}]`, "400 commits[1].sha appears more than once"},
		{`[{"sha": "a", "at": "@10:00", "at": "@10:00"}]`, "400 commits[0].at appears more than once"},
		{`[{"sha": "a\ud800", "at": "@10:00"}]`, `400 commits[0].sha has \ud800, which is half of a surrogate pair and no character`},
		{`["a"]`, "400 commits[0] must be an object, not a string"},
		{`[{"sha": 7, "at": "@10:00"}]`, "400 commits[0].sha must be a string, not a number"},
		{`[{"at": "@10:00"}]`, "400 commits[0].sha is empty; send its value, or check that the variable it comes from is set"},
		{`[{"sha": "a"}]`, "400 commits[0].at is empty; send a date such as 2026-01-31T12:00:00Z, or check that the variable it comes from is set"},
		{`[{"sha": "a", "at": "yesterday"}]`, `400 commits[0].at is "yesterday", which is not a date with a time zone; send RFC 3339, such as 2026-01-31T12:00:00Z or 2026-01-31T14:00:00+02:00`},
		{`[{"sha": "a", "at": "@10:00"}], "first_commit_at": "@09:00"`,
			"400 first_commit_at is 2026-03-04T09:00:00.000Z, but the earliest of commits is 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
		{`[], "commit": "` + strings.Repeat("x", 257) + `"`, "400 commit is 257 bytes long; at most 256 are allowed"},
	} {
		if got := s.send("POST /deployments", `{"id": "5000", "project_id": "shop", "commits": `+c.commits+`}`); got.String() != c.want {
			t.Errorf("%.100s\n got %s\nwant %s", c.commits, got, c.want)
		}
	}
}

// TestRequestsSurviveEncoding encodes requests as a client does.
func TestRequestsSurviveEncoding(t *testing.T) {
	date, yes := "2026-03-04T10:00:00Z", handlers.OptionalFlag{V: true, Valid: true}
	for _, c := range []struct {
		request handlers.DeployedRequest
		want    string
	}{
		{handlers.DeployedRequest{}, `{}`},
		{handlers.DeployedRequest{FirstCommitAt: handlers.NullableDate{Null: true}, Commits: []handlers.CommitRequest{}},
			`{"first_commit_at":null,"commits":[]}`},
		{handlers.DeployedRequest{FirstCommitAt: handlers.NullableDate{Text: &date}, Rollback: yes},
			`{"first_commit_at":"2026-03-04T10:00:00Z","rollback":true}`},
		{handlers.DeployedRequest{Commits: []handlers.CommitRequest{{SHA: shaA, At: date}}, Rollback: handlers.OptionalFlag{Valid: true}},
			`{"commits":[{"sha":"` + shaA + `","at":"2026-03-04T10:00:00Z"}],"rollback":false}`},
	} {
		if got, err := json.Marshal(c.request); err != nil || string(got) != c.want {
			t.Errorf("got %s (%v), want %s", got, err, c.want)
		}
	}
}

func TestRollbackIsExplained(t *testing.T) {
	s := start(t)
	for _, d := range []struct{ id, commit, at, commits string }{
		{"1", shaA, "@09:00", `[{"sha": "` + shaA + `", "at": "@08:00"}]`},
		{"2", shaB, "@10:00", `[{"sha": "` + shaB + `", "at": "@09:30"}, {"sha": "c", "at": "@09:00"}]`},
		{"3", shaA[:7], "@10:20", `[{"sha": "d", "at": "@10:00"}]`},
	} {
		s.must("POST /deployments/"+d.id+"/deployed", fmt.Sprintf(
			`{"create_if_not_exists": true, "project_id": "shop", "commit": %q, "deployed_at": %q, "commits": %s}`, d.commit, d.at, d.commits))
	}
	for path, want := range map[string]string{
		"/deployments/2": "200 shop/production/2 commit 09:00 deployed 10:00 revision " + shaB + " commits 2 failed by rollback rolled back by 3",
		"/deployments/3": "200 shop/production/3 deployed 10:20 rework revision aaaaaaa commits 0 rollback true no lead time: rollback",
	} {
		if got := s.get(path); got.String() != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	for metric, want := range map[string][]string{
		"change_lead_time":                {`"p50_seconds":3600,`, `"samples":2,`},
		"change_failure_rate":             {`"failed_deployments":1,"deployments":3,`, `"failed_because":"rollback","rolled_back_by":"3"},"counted":true`},
		"failed_deployment_recovery_time": {`"p50_seconds":1200,`, `"samples":1,`, `"value_seconds":1200`},
		"deployment_rework_rate":          {`"rework_deployments":1,`},
		"commit_lead_time": {`"p50_seconds":3600,`, `"samples":3,`,
			`"commits":[{"sha":"` + shaB + `","at":"2026-03-04T09:30:00.000Z","value_seconds":1800},{"sha":"c","at":"2026-03-04T09:00:00.000Z","value_seconds":3600}]`},
	} {
		explained := s.get("/dora/explain?window=1d&metric=" + metric)
		for _, part := range want {
			if !strings.Contains(explained.body, part) {
				t.Errorf("%s has no %s:\n%s", metric, part, explained)
			}
		}
	}
	table := s.get("/dora/explain?window=1d&metric=commit_lead_time&format=csv").body
	if rows := strings.Split(strings.TrimSpace(table), "\n"); len(rows) != 4 || !strings.HasSuffix(rows[1], ","+shaB+",2026-03-04T09:30:00.000Z") {
		t.Errorf("CSV:\n%s", table)
	}
	if page := s.get("/?window=1d", "Accept: text/html").body; !strings.Contains(page, "each from its oldest commit; 90% within 1 h; 1 h for each of 3 commits") {
		t.Error("the page does not show the lead time of each commit")
	}
}
