package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers"
)

// Each target runs its seeds with plain go test. To fuzz one:
//
//	go test -run '^$' -fuzz '^FuzzIncident$' -fuzztime 10s ./handlers

// inside is the API without a network, for speed.
type inside struct {
	t     testing.TB
	api   http.Handler
	store *db.Store
}

func startInside(t testing.TB) *inside {
	t.Helper()
	store, err := db.Open(context.Background(), filepath.Join(t.TempDir(), "em-metrics.db"), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	api, err := handlers.New(handlers.Options{
		Store: store, Auth: handlers.Auth{Disabled: true}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &inside{t, api, store}
}

func (in *inside) send(t *testing.T, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	target, err := url.ParseRequestURI(path)
	if err != nil {
		t.Skip("net/http rejects it first")
	}
	r := &http.Request{Method: method, URL: target, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	in.api.ServeHTTP(w, r)
	return w
}

func (in *inside) lastEvent() int64 {
	seq, err := in.store.LastEvent(context.Background())
	if err != nil {
		in.t.Fatal(err)
	}
	return seq
}

// check sends a request and checks its response: a rejected request stores nothing
// and has a reason, and an accepted one can be read back.
func (in *inside) check(t *testing.T, path, body string, headers ...string) {
	t.Helper()
	before := in.lastEvent()
	got := in.send(t, http.MethodPost, path, body, headers...)
	after := in.lastEvent()
	switch {
	case got.Code == http.StatusOK, got.Code == http.StatusCreated:
		in.checkRecord(t, got.Body.Bytes())
	case got.Code < 400 || got.Code >= 500:
		t.Fatalf("%s %q: %d %s", path, body, got.Code, got.Body)
	default:
		checkProblem(t, got, path, body, strings.Join(headers, " "))
		if after != before {
			t.Fatalf("%s %q: %d, and %d events", path, body, got.Code, after-before)
		}
	}
	if !utf8.Valid(got.Body.Bytes()) {
		t.Fatalf("%s %q: the response is not UTF-8: %q", path, body, got.Body)
	}
}

// checkProblem checks that a response is a problem document that repeats at most 60
// bytes in a row of anything that was sent.
func checkProblem(t *testing.T, got *httptest.ResponseRecorder, sent ...string) {
	t.Helper()
	p, err := readJSON[problem](got.Body.Bytes())
	if err != nil || p.Status != got.Code || len(p.Errors) == 0 || p.Errors[0].Message == "" || !utf8.Valid(got.Body.Bytes()) {
		t.Fatalf("%v in %d %s", err, got.Code, got.Body)
	}
	const most = 16 << 10
	for _, text := range sent {
		if got.Body.Len() > most || repeats(p, text) || repeats(p, readText(text)) {
			t.Fatalf("%q is repeated in %s", text, got.Body)
		}
	}
}

// readText returns what a path, a query or a JSON object says.
func readText(text string) string {
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) == nil {
		return fmt.Sprint(object)
	}
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// checkFigures checks that a response which is not a problem document is well
// formed.
func checkFigures(t *testing.T, got *httptest.ResponseRecorder) {
	t.Helper()
	content := got.Header().Get("Content-Type")
	switch {
	case strings.HasPrefix(content, "application/json"):
		if !json.Valid(got.Body.Bytes()) {
			t.Fatalf("not JSON: %s", got.Body)
		}
	case strings.HasPrefix(content, "image/svg+xml"):
		wellFormed(t, got.Body.String(), "")
	}
	if got.Code != http.StatusOK || !utf8.Valid(got.Body.Bytes()) {
		t.Fatalf("%d %q", got.Code, got.Body)
	}
}

// checkRecord reads a record back by the names in the response.
func (in *inside) checkRecord(t *testing.T, body []byte) {
	t.Helper()
	found, err := readJSON[map[string]any](body)
	if err != nil {
		t.Fatal(err)
	}
	list := "/incidents/"
	if _, ok := found["first_commit_at"]; ok {
		list = "/deployments/"
	}
	name := func(field string) string {
		value, ok := found[field].(string)
		if !ok || value == "" || len(value) > 256 {
			t.Fatalf("%s of %s", field, body)
		}
		return value
	}
	path := list + url.PathEscape(name("id")) + "?project_id=" + url.QueryEscape(name("project_id")) +
		"&environment=" + url.QueryEscape(name("environment"))
	want := strings.Replace(string(body), `,"live":false`, "", 1) // what only the answer to a repetition says
	if got := in.send(t, http.MethodGet, path, ""); got.Code != http.StatusOK || got.Body.String() != want {
		t.Fatalf("recorded %sbut read %d %s", body, got.Code, got.Body)
	}
}

// badBodies are seeds for all request bodies.
var badBodies = []string{
	``, `{}`, `null`, `[]`, `1`, `"`, `{"id"`, `{"id":}`, `{"id": "1"}{}`, `{"id": "1", "id": "2"}`, `{"ID": "1"}`, "\uFEFF{}", "\xff",
	`{"id": 1}`, `{"id": "\u0000"}`, `{"id": "\ud800"}`, `{"project_id": {}}`, `{"unknown": [{"a": 1}]}`, strings.Repeat("[", 10_001),
	`{"date": "0001-01-01T00:00:00Z"}`, `{"date": "9999-12-31"}`, `{"user": "a", "username": "b"}`, `{"environment": ""}`,
}

func fuzzBody(f *testing.F, path string, seeds ...string) {
	for _, seed := range append(seeds, badBodies...) {
		f.Add(seed)
	}
	in := startInside(f)
	in.prepare()
	f.Fuzz(func(t *testing.T, body string) { in.check(t, path, body) })
}

func (in *inside) prepare() {
	_, err := in.store.Do(context.Background(),
		db.StartDeployment{Key: db.Key{Project: "p", Environment: "NO_ENV", ID: "1"}, FirstCommitAt: time.Now()},
		db.OpenIncident{Key: db.Key{Project: "p", Environment: "NO_ENV", ID: "1"}})
	if err != nil {
		in.t.Fatal(err)
	}
}

func FuzzDeployment(f *testing.F) {
	fuzzBody(f, "/deployments",
		`{"id": "2", "project_id": "p", "first_commit_at": "2026-01-31T12:00:00Z"}`,
		`{"id": "a/b %", "project_id": "p", "environment": "e", "first_commit_at": "2026-01-31", "deploy_start_at": "2026-01-31 12:00:00 +0100", "deployed_at": "2026-01-31T12:00:00.5Z", "rework": true, "user": "bob"}`)
}

func FuzzDeployed(f *testing.F) {
	fuzzBody(f, "/deployments/1/deployed",
		`{"id": "1", "project_id": "p", "create_if_not_exists": false, "deployed_at": "2026-01-31T12:00:00Z"}`,
		`{"project_id": "q", "create_if_not_exists": true, "first_commit_at": "2026-01-31T12:00:00Z", "environment": "e"}`)
}

func FuzzIncident(f *testing.F) {
	fuzzBody(f, "/incidents",
		`{"project_id": "p", "deployment_id": "1"}`,
		`{"id": "2", "project_id": "p", "environment": "e", "started_at": "2026-01-31T12:00:00Z", "restored_at": "2026-01-31T12:30:00Z", "finished_at": "2026-02-01", "username": "bob"}`)
}

func FuzzIncidentDate(f *testing.F) {
	fuzzBody(f, "/incidents/1/finished",
		`{"date": "2126-01-31T12:00:00Z"}`, `{"project_id": "p", "environment": "NO_ENV", "user": "bob"}`)
}

func FuzzPath(f *testing.F) {
	for _, name := range append(unusualNames, "", "%", "%00", "%ff", "%E2%80%A8", "\n", "a//b") {
		f.Add(name, url.PathEscape(name))
	}
	in := startInside(f)
	f.Fuzz(func(t *testing.T, key, id string) {
		body := `{"create_if_not_exists": true, "project_id": "p", "first_commit_at": "2026-01-31"}`
		in.check(t, "/deployments/"+id+"/deployed", body)
		in.check(t, "/api/v1/incidents/"+id+"/restored", "")
		in.check(t, "/incidents", `{"project_id": "p"}`, "Idempotency-Key", key)
	})
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "limit=1", "limit=0", "offset=1&limit=500", "cursor=MS4x", "cursor=MTc2Mzg5MjAwMDAwMC4x", "type=unfinished", "filter=in-progress&type=",
		"project_id=p&team_id=t&environment=e", "a=b", "a;b", "%zz", "limit=1&limit=2", "cursor=OTIyMzM3MjAzNjg1NDc3NTgwNy4tMQ",
		"project_id=%EF%BF%BE&team_id=%EF%BF%BF&environment=%E2%80%AE", "project_id=%00%1b%c2%85", "team_id=%ff%fe&%ff=1", "project_id=%ed%a0%80",
		"metric=incidents&window=2d&tz=Europe/Berlin", "metric=change_lead_time&from=2026-01-01&to=2026-01-31&interval=day&group_by=project,team",
		"window=9999999999w&format=csv", "tz=../../etc/passwd&bands=2021&interval=year", strings.Repeat("a=&", 30), strings.Repeat("%e2%82%ac", 80) + "=1",
	} {
		f.Add(seed)
	}
	in := startInside(f)
	in.prepare()
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{
			"/deployments", "/incidents", "/deployments/1", "/incidents/1", "/dora", "/dora/explain", "/", "/badge/incidents.svg",
		} {
			target := &url.URL{Path: path, RawQuery: query}
			w := httptest.NewRecorder()
			in.api.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: target, Header: http.Header{}})
			if w.Code >= 500 || w.Code >= 300 && w.Code < 400 {
				t.Fatalf("%s?%s: %d %s", path, query, w.Code, w.Body)
			}
			if w.Code >= 400 {
				checkProblem(t, w, query)
				continue
			}
			checkFigures(t, w)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range [][4]string{
		{"POST", "application/json", "identity", "key"}, {"post", "application/json; charset=latin1", "gzip", "\x00"},
		{"PATCH", ";", "\xff", strings.Repeat("k", 300)}, {strings.Repeat("M", 100), strings.Repeat("text/", 50), strings.Repeat("é", 80), "\u202e"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	in := startInside(f)
	f.Fuzz(func(t *testing.T, method, content, encoding, key string) {
		got := in.send(t, method, "/incidents", `{"project_id": "p"}`,
			"Content-Type", content, "Content-Encoding", encoding, "Idempotency-Key", key)
		switch {
		case got.Code >= 500 || got.Code >= 300 && got.Code < 400:
			t.Fatalf("%d %s", got.Code, got.Body)
		case got.Code >= 400:
			checkProblem(t, got, method, content, encoding, key)
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{
		"2026-01-31T12:00:00Z", "2026-01-31t12:00:00.123456789z", "2026-01-31 12:00:00 +0100", "2026-01-31", "2024-02-29", "2026-02-30",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59+24:00", "", "now", "1769860800", "2026-01-31T12:00:00,5-11:30", "2026-01-31T24:00:00Z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := handlers.ParseTime(value)
		if err != nil {
			return
		}
		if got.Location() != time.UTC || got.Year() < -1 || got.Year() > 10_000 {
			t.Fatalf("%q is %v", value, got)
		}
		if again, err := handlers.ParseTime(got.Format(time.RFC3339Nano)); got.Year() >= 0 && got.Year() <= 9999 && (err != nil || !again.Equal(got)) {
			t.Fatalf("%q is %v and then %v, %v", value, got, again, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "MS4x", "MTc2Mzg5MjAwMDAwMC4x", "LTEuLTE", "MQ", "OTIyMzM3MjAzNjg1NDc3NTgwOC4x", "OTIyMzM3MjAzNjg1NDc3NTgwNy4x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		cursor, err := handlers.ParseCursor(value)
		if err != nil {
			return
		}
		again, err := handlers.ParseCursor(handlers.FormatCursor(*cursor))
		if err != nil || again.Row != cursor.Row || again.At.UnixMilli() != cursor.At.UnixMilli() {
			t.Fatalf("%q is %+v and then %+v, %v", value, cursor, again, err)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer x", "Basic Y2k6eA==", "Basic ?", "token  x", "\x00", "Basic OmE="} {
		f.Add(seed)
	}
	in := startInside(f)
	api, err := handlers.New(handlers.Options{Store: in.store, Auth: bothKinds, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	in.api = api
	f.Fuzz(func(t *testing.T, header string) {
		got := in.send(t, http.MethodGet, "/deployments", "", "Authorization", header)
		known := strings.Contains(header, goodToken) || strings.Contains(header, strings.TrimPrefix(basic("ci", goodPassword), "Authorization: Basic "))
		if got.Code == http.StatusOK && !known || got.Code != http.StatusOK && got.Code != http.StatusUnauthorized && got.Code != http.StatusForbidden {
			t.Fatalf("%q: %d %s", header, got.Code, got.Body)
		}
	})
}
