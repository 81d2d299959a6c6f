package handlers_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/handlers"
)

func urlEscape(id string) string { return url.PathEscape(id) }

func TestPageShowsTheMetrics(t *testing.T) {
	s := aDay(t)
	s.production = dora.Environments{"production", "staging"}
	for _, path := range []string{"/", "/?window=7d&project_id=&team_id=&environment=&bands=2023", "/api/v1/"} {
		got := s.get(path)
		if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
			t.Fatal(path, got.status, got.header)
		}
		for _, want := range []string{
			"Deployment frequency", "Change lead time", "Change failure rate", "Failed deployment recovery time", "Deployment rework rate",
			"33.3%", "1 of 3 deployments", "each from its oldest commit", "because of an incident or a bug that users met", "in progress", "Incident started", "dora?bands=2023&amp;from=2026-0", "openapi.yaml", "metrics",
		} {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s: no %q", path, want)
			}
		}
	}
	if older := s.get("/?bands=2021"); !strings.Contains(older.body, "Time to restore") || strings.Contains(older.body, "Failed deployment recovery time") {
		t.Error("the page with the bands of 2021 does not show their four keys")
	}
	if got := s.get("/?window=soon"); got.status != 400 || !strings.Contains(got.String(), "window") {
		t.Error(got)
	}
}

func TestPageHasAStrictPolicyThatMatchesItsStyle(t *testing.T) {
	s := aDay(t)
	got := s.get("/")
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(got.body)
	if style == nil {
		t.Fatal("no style")
	}
	digest := sha256.Sum256([]byte(style[1]))
	policy := got.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+"'") ||
		!strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Error(policy)
	}
	if regexp.MustCompile(`(?i)<script|\son\w+=|\sstyle=|javascript:`).MatchString(got.body) {
		t.Error("the page contains something that the policy forbids")
	}
}

func TestPageWithoutDataShowsExampleRequests(t *testing.T) {
	for name, test := range map[string]struct {
		auth handlers.Auth
		want string
	}{
		"open":  {handlers.Auth{Disabled: true}, "no credential"},
		"token": {handlers.Auth{Token: "secret-token"}, "Bearer $EM_METRICS_TOKEN_AUTH"},
		"basic": {handlers.Auth{Username: "ada", Password: "secret-word"}, "$EM_METRICS_BASIC_AUTH_USERNAME"},
	} {
		s := start(t, func(o *setup) { o.Auth = test.auth })
		header := "Authorization: Bearer secret-token"
		if test.auth.Username != "" {
			header = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ada:secret-word"))
		}
		got := s.get("/", header)
		if got.status != 200 || !strings.Contains(got.body, "No data yet") || !strings.Contains(got.body, test.want) ||
			!strings.Contains(got.body, s.url+"/deployments") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if strings.Contains(got.body, "secret-") {
			t.Errorf("%s: the page shows a secret", name)
		}
	}
}

func TestExampleRequestsContainNoShellCode(t *testing.T) {
	s := start(t)
	r := request(t, s.url+"/")
	r.Host = "$(reboot)"
	response, err := plain(s.client.Transport).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || strings.Contains(string(body), "reboot") || !strings.Contains(string(body), "http://localhost:3000/deployments") {
		t.Errorf("%d %v %s", response.StatusCode, err, body)
	}
}

func TestHostileNamesAreHarmlessOnThePageAndInBadges(t *testing.T) {
	s := start(t)
	for i, name := range hostile {
		deployHostile(t, s, name, string(rune('a'+i)))
	}
	attribute := regexp.MustCompile(`"[^"<>]*"`)
	escaped := regexp.MustCompile(`(?i)<script|<img|<svg onload|<[a-z][^>]*\son[a-z]+\s*=|href="javascript:|alert\(1\)">`)
	for _, path := range append([]string{""}, hostile...) {
		got := s.get("/?project_id=" + url.QueryEscape(path) + "&environment=" + url.QueryEscape(path))
		if found := escaped.FindString(attribute.ReplaceAllString(got.body, `""`)); got.status != 200 || found != "" {
			t.Errorf("page of %q: %d, unescaped %q", path, got.status, found)
		}
	}
	for _, name := range hostile {
		got := s.get("/badge/change_failure_rate.svg?project_id=" + url.QueryEscape(name))
		if got.status != 200 || escaped.MatchString(got.body) || !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("badge of %q: %d %s", name, got.status, got.body)
		}
		wellFormed(t, got.body, name)
	}
}

// wellFormed parses an SVG as XML and looks for the name in its title.
func wellFormed(t *testing.T, svg, name string) {
	t.Helper()
	decoder, text := xml.NewDecoder(strings.NewReader(svg)), ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("badge of %q: %v", name, err)
			return
		}
		if data, ok := token.(xml.CharData); ok {
			text += string(data)
		}
	}
	if !strings.Contains(text, name) {
		t.Errorf("badge of %q: its title is not in %q", name, text)
	}
}

func TestBadges(t *testing.T) {
	s := aDay(t)
	for path, want := range map[string]string{
		"deployment_frequency.svg?window=1d":            "3 a day",
		"deployment_frequency.svg?window=30d":           "",
		"change_lead_time.svg?window=1d":                "1 h",
		"change_failure_rate.svg?window=1d":             "33.3%",
		"failed_deployment_recovery_time.svg?window=1d": "30 min",
		"deployment_rework_rate.svg?window=1d":          "33.3%",
		"time_to_restore.svg?window=1d&project_id=shop": "1.25 h",
		"time_to_detect.svg?window=1d":                  "15 min",
		"incidents.svg?window=1d":                       "3",
		"open_incidents.svg":                            "1",
		"unfinished_deployments.svg?window=1d":          "1",
		"deployment_duration.svg?window=1d":             "10 min",
		"change_lead_time.svg?project_id=nobody":        "no data",
		"deployment_frequency.svg?project_id=nobody":    "none",
	} {
		got := s.get("/badge/" + path)
		if got.status != 200 || !strings.Contains(got.body, ">"+want) || !strings.HasPrefix(got.header.Get("Content-Type"), "image/svg+xml") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestBadgesArePublicIfMetricsAre(t *testing.T) {
	closed := start(t, func(o *setup) { o.Auth = handlers.Auth{Token: "t"} })
	if got := closed.get("/badge/incidents.svg"); got.status != 401 {
		t.Error(got.status)
	}
	open := start(t, func(o *setup) { o.Auth = handlers.Auth{Token: "t", PublicMetrics: true} })
	if got := open.get("/badge/incidents.svg"); got.status != 200 {
		t.Error(got.status)
	}
	for _, path := range []string{"/", "/dora", "/dora/explain?metric=incidents"} {
		if got := open.get(path); got.status != 401 {
			t.Errorf("%s: %d without a credential", path, got.status)
		}
	}
}

// TestNamesAreIsolatedFromTheTextAroundThem: U+202E in a name would reverse what
// follows it.
func TestNamesAreIsolatedFromTheTextAroundThem(t *testing.T) {
	const project, environment, id, team = "shop\u202epohs", "prod\u202edorp", "1\u2069\u202e2", "team\u202emaet"
	s := start(t, withTeams(t, `{"teams": {"`+team+`": {"projects": ["`+project+`"]}}}`))
	s.must("POST /deployments", `{"id": "`+id+`", "project_id": "`+project+`", "environment": "`+environment+`", "first_commit_at": "@10:00"}`)
	s.must("POST /incidents", `{"id": "`+id+`", "project_id": "`+project+`", "environment": "`+environment+`", "deployment_id": "`+id+`"}`)
	isolated := regexp.MustCompile(`<bdi>[^<]*</bdi>|<option [^>]*>[^<]*</option>|\x{2068}[^<\x{2069}]*\x{2069}|<[^>]*>`)
	filter := "project_id=" + url.QueryEscape(project) + "&team_id=" + url.QueryEscape(team) + "&environment=" + url.QueryEscape(environment)
	for _, path := range []string{"/", "/?" + filter, "/badge/incidents.svg?" + filter} {
		got := s.get(path)
		if got.status != 200 || !strings.Contains(got.body, "\u202e") && path != "/" {
			t.Fatalf("%s: %d without the names", path, got.status)
		}
		if rest := isolated.ReplaceAllString(got.body, ""); strings.ContainsAny(rest, "\u202e\u2069") {
			i := strings.IndexAny(rest, "\u202e\u2069")
			t.Errorf("%s: %q is not isolated", path, rest[max(0, i-60):min(len(rest), i+60)])
		}
	}
	body := s.get("/").body
	for name, cells := range map[string]int{project: 6, environment: 5, id: 6, team: 3} {
		if n := strings.Count(body, "<bdi>"+name+"</bdi>"); n < cells {
			t.Errorf("%q is isolated %d times, want %d", name, n, cells)
		}
	}
	if plain := s.get("/?project_id=boutique-é-Ж").body; !strings.Contains(plain, "<title>em-metrics: boutique-é-Ж</title>") {
		t.Error("a name that reorders nothing is not shown as it is")
	}
}
