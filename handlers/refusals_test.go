package handlers_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// prepared stores the records that the rejected requests below refer to.
func prepared(s *service) (events int) {
	s.must("POST /deployments", `{"id": "started", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:00"}`)
	s.must("POST /incidents", `{"id": "open", "project_id": "shop", "started_at": "@11:00"}`)
	return len(s.events())
}

const (
	deploymentHas = "is not a known field; known fields: id, project_id, environment, first_commit_at, commit, commits, deploy_start_at, deployed_at, rework, rollback, failed, user, username"
	incidentHas   = "is not a known field; known fields: id, project_id, environment, deployment_id, started_at, restored_at, finished_at, user, username"
	dateWanted    = "which is not a date with a time zone; send RFC 3339, such as 2026-01-31T12:00:00Z or 2026-01-31T14:00:00+02:00"
	jsonWanted    = "send application/json in UTF-8 (curl: -H 'Content-Type: application/json')"
)

func TestRejectedRequestsStoreNothing(t *testing.T) {
	long := strings.Repeat("x", 257)
	for _, refusals := range []struct {
		about string
		cases []step
	}{
		{"a body that is not a JSON object", []step{
			{request: "POST /deployments", want: "400 body is empty; send a JSON object"},
			{request: "POST /deployments", body: " \n", want: "400 body is empty; send a JSON object"},
			{request: "POST /deployments", body: `{`, want: "400 body is incomplete: the JSON object does not end"},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "sh`, want: "400 body is incomplete: the JSON object does not end"},
			{request: "POST /deployments", body: `{"id": 1x}`, want: "400 body is not valid JSON: invalid character 'x' after object key:value pair (line 1, column 9)"},
			{request: "POST /deployments", body: `id=1`, want: "400 body is not valid JSON: invalid character 'i' looking for beginning of value (line 1, column 1)"},
			{request: "POST /deployments", body: `{} {}`, want: "400 body has data after the JSON object"},
			{request: "POST /deployments", body: `{}]`, want: "400 body has data after the JSON object"},
			{request: "POST /deployments", body: `[]`, want: "400 body must be an object, not a list"},
			{request: "POST /deployments", body: `"1"`, want: "400 body must be an object, not a string"},
			{request: "POST /deployments", body: `1`, want: "400 body must be an object, not a number"},
			{request: "POST /deployments", body: `null`, want: "400 body must be an object, not null"},
			{request: "POST /deployments/started/deployed", body: `null`, want: "400 body must be an object, not null"},
			{request: "POST /deployments", body: strings.Repeat(`{"id":`, 20_000), want: "400 body is not valid JSON: invalid character '{' exceeded max depth (line 1, column 60001)"},
			{request: "POST /deployments", body: "\uFEFF{}", want: "400 body starts with a byte order mark; use UTF-8 without one"},
			{request: "POST /deployments", body: "{\"id\": \"\xff\"}", want: "400 body is not valid UTF-8"},
			{request: "POST /incidents", body: `[{"project_id": "shop"}]`, want: "400 body must be an object, not a list"},
			{request: "POST /incidents/open/restored", body: `{"date": "@11:30"`, want: "400 body is incomplete: the JSON object does not end"},
			{request: "POST /incidents/open/finished", body: `true`, want: "400 body must be an object, not a boolean"},
		}},
		{"a field of the wrong type", []step{
			{request: "POST /deployments", body: `{"id": 42}`, want: "400 id must be a string, not a number"},
			{request: "POST /deployments", body: `{"id": ["1"]}`, want: "400 id must be a string, not a list"},
			{request: "POST /deployments", body: `{"project_id": {"id": "1"}}`, want: "400 project_id must be a string, not an object"},
			{request: "POST /deployments", body: `{"first_commit_at": 1772618400}`, want: "400 first_commit_at must be a string, not a number"},
			{request: "POST /deployments", body: `{"rework": "yes"}`, want: "400 rework must be a boolean, not a string"},
			{request: "POST /deployments", body: `{"user": true}`, want: "400 user must be a string, not a boolean"},
			{request: "POST /deployments/started/deployed", body: `{"create_if_not_exists": 1}`, want: "400 create_if_not_exists must be a boolean, not a number"},
			{request: "POST /incidents/open/restored", body: `{"date": false}`, want: "400 date must be a string, not a boolean"},
		}},
		{"a field that is unknown or repeated", []step{
			{request: "POST /deployments", body: `{"project": "shop"}`, want: "400 project " + deploymentHas},
			{request: "POST /deployments", body: `{"ID": "1"}`, want: "400 ID " + deploymentHas},
			{request: "POST /deployments", body: `{"": "1"}`, want: `400 "" ` + deploymentHas},
			{request: "POST /deployments", body: `{"date": {"a": {"b": 1}}}`, want: "400 date " + deploymentHas},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "id": "2"}`, want: "400 id appears more than once"},
			{request: "POST /deployments", body: `{"id": "1", "\u0069d": "2"}`, want: "400 id appears more than once"},
			{request: "POST /deployments/started/deployed", body: `{"date": "@11:30"}`,
				want: "400 date is not a known field; known fields: id, project_id, environment, create_if_not_exists, first_commit_at, commit, commits, deploy_start_at, deployed_at, rework, rollback, failed, user, username"},
			{request: "POST /incidents", body: `{"project_id": "shop", "deploymentId": "1"}`, want: "400 deploymentId " + incidentHas},
			{request: "POST /incidents/open/restored", body: `{"restored_at": "@11:30"}`,
				want: "400 restored_at is not a known field; known fields: project_id, environment, date, user, username"},
		}},
		{"an invalid name", []step{
			{request: "POST /deployments", body: `{}`,
				want: "400 id is required | project_id is required | first_commit_at is required; send a date such as 2026-01-31T12:00:00Z"},
			{request: "POST /deployments", body: `{"id": null, "project_id": "", "environment": " ", "first_commit_at": "@10:00"}`,
				want: "400 id is required | project_id is empty; send its value, or check that the variable it comes from is set | environment is empty; send its value, or check that the variable it comes from is set"},
			{request: "POST /deployments", body: `{"id": "` + long + `", "project_id": "shop", "first_commit_at": "@10:00"}`,
				want: "400 id is 257 bytes long; at most 256 are allowed"},
			{request: "POST /deployments", body: `{"id": "", "project_id": "", "first_commit_at": ""}`,
				want: "400 id is empty; send its value, or check that the variable it comes from is set | project_id is empty; send its value, or check that the variable it comes from is set | first_commit_at is empty; send a date such as 2026-01-31T12:00:00Z, or check that the variable it comes from is set"},
			{request: "POST /deployments", body: `{"id": "1\n", "project_id": "sh\u0000op", "first_commit_at": "@10:00"}`,
				want: "400 id must not contain control characters | project_id must not contain control characters"},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "user": "bob", "username": "ann"}`,
				want: "400 username is an alias of user, but the values differ; send only one"},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "username": "` + long + `"}`,
				want: "400 username is 257 bytes long; at most 256 are allowed"},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "environment": "\ud800", "first_commit_at": "@10:00"}`,
				want: `400 environment has \ud800, which is half of a surrogate pair and no character`},
			{request: "POST /incidents/open/restored", body: `{"user": "\udc00\ud800"}`,
				want: `400 user has \udc00, which is half of a surrogate pair and no character`},
			{request: "POST /deployments/" + long + "/deployed", want: "400 id is 257 bytes long; at most 256 are allowed"},
			{request: "POST /deployments/%FF/deployed", want: "400 id is not valid UTF-8"},
			{request: "POST /deployments/%00/deployed", want: "400 id must not contain control characters"},
			{request: "POST /deployments//deployed", want: "400 id is empty; send its value, or check that the variable it comes from is set"},
			{request: "POST /deployments/%20/deployed", want: "400 id is empty; send its value, or check that the variable it comes from is set"},
			{request: "POST /incidents", body: `{"project_id": "shop", "id": " ", "deployment_id": " "}`,
				want: "400 id is empty; send its value, or check that the variable it comes from is set | deployment_id is empty; send its value, or check that the variable it comes from is set"},
			{request: "POST /incidents", body: `{"project_id": "shop"}`, headers: []string{"Idempotency-Key: " + long},
				want: "400 Idempotency-Key is 257 bytes long; at most 256 are allowed"},
		}},
		{"an invalid date", []step{
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": ""}`,
				want: "400 first_commit_at is empty; send a date such as 2026-01-31T12:00:00Z, or check that the variable it comes from is set"},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "yesterday", "deploy_start_at": "2026-02-30T10:00:00Z", "deployed_at": "2026-03-04T10:00:00"}`,
				want: `400 first_commit_at is "yesterday", ` + dateWanted + ` | deploy_start_at is "2026-02-30T10:00:00Z", ` + dateWanted + ` | deployed_at is "2026-03-04T10:00:00", ` + dateWanted},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "0001-01-01T00:00:00Z"}`,
				want: "400 first_commit_at is 0001-01-01T00:00:00Z; dates before 1970 are not accepted"},
			{request: "POST /deployments/started/deployed", body: `{"deployed_at": "0001-01-01T00:00:00.0001Z"}`,
				want: "400 deployed_at is 0001-01-01T00:00:00.0001Z; dates before 1970 are not accepted"},
			{request: "POST /incidents", body: `{"project_id": "shop", "started_at": "0000-01-01"}`,
				want: "400 started_at is 0000-01-01; dates before 1970 are not accepted"},
			{request: "POST /incidents/open/restored", body: `{"date": "1969-12-31T23:59:59Z"}`,
				want: "400 date is 1969-12-31T23:59:59Z; dates before 1970 are not accepted"},
			{request: "POST /incidents/open/restored", body: `{"date": "now"}`, want: `400 date is "now", ` + dateWanted},
		}},
		{"inconsistent dates", []step{
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "9999-12-31T23:59:59Z"}`,
				want: "422 first_commit_at is 9999-12-31T23:59:59.000Z, which is in the future: the time is now 2026-03-04T12:00:00.000Z"},
			{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@11:10", "deploy_start_at": "@11:04"}`,
				want: "422 deploy_start_at is 2026-03-04T11:04:00.000Z, which must not be before first_commit_at (2026-03-04T11:10:00.000Z) | first_commit_at is 2026-03-04T11:10:00.000Z, which must not be after deploy_start_at"},
			{request: "POST /deployments/started/deployed", body: `{"deployed_at": "@10:54"}`,
				want: "422 deployed_at is 2026-03-04T10:54:00.000Z, which must not be before deploy_start_at (2026-03-04T11:00:00.000Z) | deploy_start_at is 2026-03-04T11:00:00.000Z, which must not be after deployed_at"},
			{request: "POST /deployments/started/deployed", body: `{"deployed_at": "@12:06"}`,
				want: "422 deployed_at is 2026-03-04T12:06:00.000Z, which is in the future: the time is now 2026-03-04T12:00:00.000Z"},
			{request: "POST /incidents", body: `{"project_id": "shop", "started_at": "@11:00", "restored_at": "@10:54"}`,
				want: "422 restored_at is 2026-03-04T10:54:00.000Z, which must not be before started_at (2026-03-04T11:00:00.000Z) | started_at is 2026-03-04T11:00:00.000Z, which must not be after restored_at"},
			{request: "POST /incidents/open/finished", body: `{"date": "@10:54"}`,
				want: "422 date is 2026-03-04T10:54:00.000Z, which must not be before started_at (2026-03-04T11:00:00.000Z) | started_at is 2026-03-04T11:00:00.000Z, which must not be after date"},
		}},
		{"an unsupported body", []step{
			{request: "POST /deployments", body: `{}`, headers: []string{"Content-Type: application/x-www-form-urlencoded"},
				want: `415 Content-Type is "application/x-www-form-urlencoded"; ` + jsonWanted},
			{request: "POST /deployments", body: `{}`, headers: []string{"Content-Type: application/json; charset=latin1"},
				want: `415 Content-Type is "application/json; charset=latin1"; ` + jsonWanted},
			{request: "POST /deployments", body: `{}`, headers: []string{"Content-Type: ;"}, want: `415 Content-Type is ";"; ` + jsonWanted},
			{request: "POST /incidents", body: "\x1f\x8b", headers: []string{"Content-Encoding: gzip"},
				want: `415 Content-Encoding is "gzip"; send the body uncompressed`},
			{request: "POST /deployments", body: `{"id": "` + strings.Repeat("x", 2<<20) + `"}`, want: "413 body must be at most 1048576 bytes"},
			{request: "POST /incidents/open/restored", body: strings.Repeat(" ", 1<<20+1), want: "413 body must be at most 1048576 bytes"},
		}},
		{"an unknown id or route", []step{
			{request: "POST /deployments/started/deployed?project_id=shop", want: "400 query is not supported here; send the parameters as fields of the body"},
			{request: "POST /deployments/unknown/deployed", body: `{"project_id": "shop", "environment": "staging"}`,
				want: `404 id "unknown" does not match any deployment in project_id "shop" in environment "staging" | create_if_not_exists is not set; send true with project_id and first_commit_at to create the deployment in this call`},
			{request: "POST /incidents/unknown/restored", want: `404 id "unknown" does not match any incident`},
			{request: "POST /incidents", body: `{"project_id": "shop", "deployment_id": "unknown", "environment": "staging"}`,
				want: `422 deployment_id "unknown" does not match any deployment in project_id "shop" in environment "staging"; record the deployment first, or omit deployment_id`},
			{request: "POST /deployments/", body: `{}`, want: "404 path /deployments/ does not exist; see /openapi.yaml for the routes"},
			{request: "POST /deployments/a/b/deployed", want: "404 path /deployments/a/b/deployed does not exist; see /openapi.yaml for the routes"},
			{request: "GET /api/v2/deployments", want: "404 path /api/v2/deployments does not exist; see /openapi.yaml for the routes"},
		}},
	} {
		t.Run(refusals.about, func(t *testing.T) {
			s := start(t)
			events := prepared(s)
			metrics := s.metrics()
			for _, c := range refusals.cases {
				if got := s.send(c.request, c.body, c.headers...); got.String() != c.want {
					t.Errorf("%s %.200s\n got %s\nwant %s", c.request, c.body, got, c.want)
				}
			}
			if n := len(s.events()); n != events {
				t.Errorf("%d events, %d before: %q", n, events, s.events())
			}
			compare(t, "metrics", s.metrics(), metrics)
		})
	}
}

func TestProblemDocument(t *testing.T) {
	s := start(t)
	got := s.send("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@12:06"}`)
	p, err := readJSON[problem]([]byte(got.body))
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://github.com/em-metrics/em-metrics/blob/main/README.md#error-unprocessable"; p.Type != want {
		t.Errorf("type %s, want %s", p.Type, want)
	}
	if p.Status != 422 || p.Title != "The request is inconsistent" || p.Detail == "" ||
		got.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%+v, %s", p, got.header.Get("Content-Type"))
	}
}

func TestMethodNotAllowedListsTheAllowedMethods(t *testing.T) {
	s := start(t)
	for request, allow := range map[string]string{
		"PUT /deployments":             "GET, HEAD, POST",
		"DELETE /deployments/1":        "GET, HEAD",
		"POST /deployments/1":          "GET, HEAD",
		"GET /deployments/1/deployed":  "POST",
		"HEAD /incidents/1/restored":   "POST",
		"POST /metrics":                "GET, HEAD",
		"OPTIONS /incidents":           "GET, HEAD, POST",
		"PATCH /api/v1/incidents":      "GET, HEAD, POST",
		"FROBNICATE /api/v1/incidents": "GET, HEAD, POST",
		"CONNECT /deployments":         "GET, HEAD, POST",
		"POST /api/v1/openapi.yaml":    "GET, HEAD",
		"DELETE /incidents/1/finished": "POST",
		"POST /health":                 "GET, HEAD",
		"PUT /deployments/a%2Fb":       "GET, HEAD",
	} {
		got := s.send(request, "")
		if got.status != 405 || got.header.Get("Allow") != allow {
			t.Errorf("%s: %s, Allow %q, want %q", request, got, got.header.Get("Allow"), allow)
		}
		method, _, _ := strings.Cut(request, " ")
		if want := fmt.Sprintf("405 method %s is not allowed here; use one of %s", method, allow); method != "HEAD" && got.String() != want {
			t.Errorf("%s\n got %s\nwant %s", request, got, want)
		}
	}
}

// TestTruncatedBodyStoresNothing: the client disconnects in the middle of its body,
// after a complete JSON object.
func TestTruncatedBodyStoresNothing(t *testing.T) {
	s := start(t)
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, err = io.WriteString(connection, "POST /incidents HTTP/1.1\r\nHost: em-metrics\r\nContent-Length: 100\r\n\r\n"+`{"project_id": "shop"}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	received, err := io.ReadAll(connection)
	if err != nil || !strings.HasPrefix(string(received), "HTTP/1.1 400 ") || !strings.Contains(string(received), "ended prematurely") {
		t.Errorf("%v: %s", err, received)
	}
	compare(t, "events", s.events(), nil)
}
