package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestAllDateFormatsAreAccepted records a deployment with each format and reads it
// back.
func TestAllDateFormatsAreAccepted(t *testing.T) {
	s := start(t)
	for i, c := range []struct{ sent, want string }{
		{"2026-03-04T10:00:00Z", "10:00"},
		{"2026-03-04t10:00:00z", "10:00"},
		{"2026-03-04T12:00:00+02:00", "10:00"},
		{"2026-03-04T12:00:00+0200", "10:00"},
		{"2026-03-04 12:00:00+02:00", "10:00"},
		{"2026-03-04 12:00:00+0200", "10:00"},
		{"2026-03-04 12:00:00 +02:00", "10:00"},
		{"2026-03-04 12:00:00 +0200", "10:00"},
		{"2026-03-04 10:00:00Z", "10:00"},
		{"2026-03-04 10:00:00 Z", "10:00"},
		{"2026-03-03T22:30:00-11:30", "10:00"},
		{"2026-03-04T10:00:00.5Z", "10:00:00.500Z"},
		{"2026-03-04T10:00:00,5Z", "10:00:00.500Z"},
		{"2026-03-04T10:00:00.123456789Z", "10:00:00.123Z"},
		{"2026-03-04", "00:00"},
		{"2024-02-29", "2024-02-29T00:00:00.000Z"},
		{"1970-01-01", "1970-01-01T00:00:00.000Z"},
		{"1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00.000Z"},
	} {
		body := fmt.Sprintf(`{"id": "%d", "project_id": "shop", "first_commit_at": %q, "deploy_start_at": "@11:00"}`, i, c.sent)
		want := fmt.Sprintf("201 shop/production/%d commit %s start 11:00", i, strings.TrimSuffix(c.want, ":00.000Z"))
		if got := s.send("POST /deployments", body); got.String() != want {
			t.Errorf("%s\n got %s\nwant %s", c.sent, got, want)
		}
	}
}

func TestClocksMayDifferByFiveMinutes(t *testing.T) {
	tell(t, []story{{
		name: "dates up to five minutes out of order count as zero",
		steps: []step{
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@11:10", "deploy_start_at": "@11:05"}`,
				want: "201 shop/production/1 commit 11:10 start 11:05"},
			{request: "POST /deployments/1/deployed", body: `{"deployed_at": "@11:05"}`,
				want: "200 shop/production/1 commit 11:10 start 11:05 deployed 11:05"},
			{request: "POST /deployments", body: `{"id": "2", "project_id": "shop", "first_commit_at": "@12:05", "deploy_start_at": "@12:05"}`,
				want: "201 shop/production/2 commit 12:05 start 12:05"},
			{request: "POST /incidents", body: `{"id": "1", "project_id": "shop", "deployment_id": "1", "started_at": "@11:00", "restored_at": "@10:55", "finished_at": "@10:55"}`,
				want: "201 shop/production/1 by 1 started 11:00 restored 10:55 finished 10:55"},
		},
		events: []string{
			"deployment_started shop/production/1 at 11:05:00",
			"deployment_deployed shop/production/1 at 11:05:00",
			"deployment_started shop/production/2 at 12:05:00",
			"incident_started shop/production/1 at 11:00:00",
			"change_failed shop/production/1 at 11:00:00",
			"incident_restored shop/production/1 at 10:55:00",
			"incident_finished shop/production/1 at 10:55:00",
		},
		metrics: []string{
			"change_failure_count shop/production 1",
			"deployment_duration shop/production 1 0",
			"deployment_frequency shop/production 1",
			"deployment_started shop/production 2",
			"incident_count shop/production 1",
			"incident_finished shop/production 1",
			"incident_restored shop/production 1",
			"lead_time_for_changes shop/production 1 0",
			"time_to_detect shop/production 1 0",
			"time_to_restore shop/production 1 0",
		},
	}})
}

// unusualNames are valid ids that need escaping somewhere.
var unusualNames = []string{
	"a/b", "release/1.0/build 7", "/", "//", "a b", " a ", "100%", "%2F", "%zz", "a%2fb", `say "hi"`, "it's", `a\b`,
	"🚀", "héllo", "日本語", "a+b", "a?b=c", "a#b", "a&b=c;d", ".", "..", "../deployments", "deployed", "{id}", ":id", "*", "<a>", "a,b", "@10:0",
	"a\u2028b", "\u00a0x", strings.Repeat("x", 256), strings.Repeat("é", 128), "null", "0", "'; DROP TABLE deployments; --",
}

func TestUnusualNamesAreAccepted(t *testing.T) {
	for _, prefix := range prefixes {
		s := start(t)
		for _, name := range unusualNames {
			s.useName(prefix, name)
		}
		if n, want := len(s.events()), 6*len(unusualNames); n != want {
			t.Errorf("%d events, want %d", n, want)
		}
	}
}

// useName takes a deployment and an incident through all calls, with that name for
// everything.
func (s *service) useName(prefix, name string) {
	s.t.Helper()
	text, err := json.Marshal(name)
	if err != nil {
		s.t.Fatal(err)
	}
	body := func(format string) string { return strings.ReplaceAll(format, "NAME", string(text)) }
	deployment, incident := prefix+"/deployments/"+url.PathEscape(name), prefix+"/incidents/"+url.PathEscape(name)
	for _, step := range []step{
		{request: "POST " + prefix + "/deployments", want: "201",
			body: body(`{"id": NAME, "project_id": NAME, "environment": NAME, "first_commit_at": "2026-03-04T10:00:00Z", "user": NAME}`)},
		{request: "POST " + deployment + "/deployed", want: "200", body: body(`{"id": NAME, "project_id": NAME}`)},
		{request: "POST " + prefix + "/incidents", want: "201",
			body: body(`{"id": NAME, "project_id": NAME, "environment": NAME, "deployment_id": NAME}`)},
		{request: "POST " + incident + "/restored", want: "200", body: body(`{"environment": NAME}`)},
		{request: "POST " + incident + "/finished", want: "200"},
		{request: "GET " + deployment + "?project_id=" + url.QueryEscape(name), want: "200"},
		{request: "GET " + incident + "?environment=" + url.QueryEscape(name), want: "200"},
	} {
		got := s.send(step.request, step.body)
		found, err := readJSON[struct {
			ID      string `json:"id"`
			Project string `json:"project_id"`
		}]([]byte(got.body))
		if fmt.Sprint(got.status) != step.want || err != nil || found.ID != name || found.Project != name {
			s.t.Errorf("%q: %s: %s, id %q", name, step.request, got, found.ID)
		}
	}
	listed := s.get(prefix + "/deployments?project_id=" + url.QueryEscape(name))
	if listed.status != 200 || strings.Count(listed.body, `"id"`) != 1 {
		s.t.Errorf("%q is listed as %s", name, listed)
	}
}

// TestOptionalFieldsMayBeNullOrEmpty sends every optional field as null and as the
// empty string, which CI sends for a variable that is not set.
func TestOptionalFieldsMayBeNullOrEmpty(t *testing.T) {
	for _, absent := range []string{"null", `""`} {
		s := start(t)
		for _, step := range []step{
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "environment": X, "deploy_start_at": X, "deployed_at": X, "rework": X, "commit": X, "rollback": X, "failed": X, "user": X, "username": X}`,
				want: "201 shop/production/1 commit 10:00 start 12:00"},
			{request: "POST /deployments/1/deployed", body: `{"id": X, "project_id": X, "environment": X, "create_if_not_exists": X, "first_commit_at": X, "deploy_start_at": X, "deployed_at": X, "rework": X, "commit": X, "rollback": X, "failed": X, "user": X, "username": X}`,
				want: "200 shop/production/1 commit 10:00 start 12:00 deployed 12:00"},
			{request: "POST /deployments/2/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "environment": X, "first_commit_at": "@10:00", "deploy_start_at": X, "deployed_at": X}`,
				want: "201 shop/production/2 commit 10:00 deployed 12:00"},
			{request: "POST /deployments/3/deployed", body: `{"create_if_not_exists": true, "project_id": X, "commit": X, "commits": null}`,
				want: "400 project_id is required, because the deployment is not recorded yet | first_commit_at is required, because the deployment is not recorded yet"},
			{request: "POST /incidents", body: `{"id": X, "project_id": "shop", "environment": X, "deployment_id": X, "started_at": X, "restored_at": X, "finished_at": X, "user": X, "username": X}`,
				want: "201 shop/production/incident_shop_1 started 12:00"},
			{request: "POST /incidents/incident_shop_1/restored", body: `{"date": X, "project_id": X, "environment": X, "user": X, "username": X}`,
				want: "200 shop/production/incident_shop_1 started 12:00 restored 12:00"},
			{request: "POST /incidents/incident_shop_1/finished", body: `{"date": X, "project_id": X, "environment": X, "user": X, "username": X}`,
				want: "200 shop/production/incident_shop_1 started 12:00 restored 12:00 finished 12:00"},
		} {
			body := strings.ReplaceAll(step.body, "X", absent)
			if got := s.send(step.request, body); got.String() != step.want {
				t.Errorf("%s\n got %s\nwant %s", body, got, step.want)
			}
		}
	}
}

func TestAllJSONContentTypesAreAccepted(t *testing.T) {
	s := start(t)
	for i, contentType := range []string{
		"application/json", "application/json; charset=UTF-8", "Application/JSON;charset=utf-8", "application/vnd.api+json", "",
	} {
		body := fmt.Sprintf(`{"id": "%d", "project_id": "shop"}`, i)
		// Only application/json is documented, so the contract does not apply.
		s.client.Transport = plain(s.client.Transport)
		if got := s.send("POST /incidents", body, "Content-Type: "+contentType, "Content-Encoding: identity"); got.status != 201 {
			t.Errorf("%q: %s", contentType, got)
		}
	}
}

func TestEnvironmentDefaultsToTheServices(t *testing.T) {
	s := start(t, func(o *setup) { o.Environment = "" })
	if got := s.send("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00"}`); got.String() != "201 shop/NO_ENV/1 commit 10:00 start 12:00" {
		t.Error(got)
	}
}
