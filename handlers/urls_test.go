package handlers_test

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/db/dora"
)

// written are the files that name URLs of the service for people and programs to
// request.
var written = []string{
	"../README.md", "../docs/*.md", "../docs/conformance/*.md", "../prometheus/rules/*.yml", "../grafana/dashboards/*.json", "openapi.yaml",
}

var (
	// placeholder is what a reader, Prometheus, Grafana or a shell replaces.
	placeholder = regexp.MustCompile(`\{\{[^}]*\}\}|\$\{[^}]*\}|\$[A-Za-z_]\w*|<\w+>|:\w+|\{\w+\}`)
	// serviceHost is how the files write the address of the service.
	serviceHost = regexp.MustCompile(`\$EM_METRICS_URL|(?:https?://)?(?:localhost:3000|em-metrics\.example\.com)`)
	// writtenURL is a URL of the service: any path after its address or after a
	// method, and one of a route where it stands alone.
	writtenURL = regexp.MustCompile("(?:(GET|HEAD|POST|PUT|PATCH|DELETE) |SERVICE)(/[^\\s\"'`<>\\\\)|,;]*)" +
		"|(?:^|[\\s\"'`<(|])(/(?:api/v1/)?(?:deployments|incidents|dora|badge|metrics|health|ready|version|config|openapi\\.yaml)(?:[/?][^\\s\"'`<>\\\\)|,;]*)?)")
)

// TestEveryWrittenURLIsServed requests every URL of the service that the rules,
// the dashboards, the documentation and the description of the API contain.
func TestEveryWrittenURLIsServed(t *testing.T) {
	s := start(t)
	found := writtenURLs(t)
	for _, one := range []string{
		"GET /dora/explain?metric=change_failure_rate&window=30d&project_id=_", // a runbook
		"GET /incidents?type=in-progress&project_id=_",
		"POST /incidents/_/restored",
		"/dora?window=90d&group_by=project", // docs/dora.md
		"/badge/change_lead_time.svg?project_id=shop",
		"/deployments/_/deployed", // README and openapi.yaml
	} {
		if found[one] == "" {
			t.Errorf("%s was not found", one)
		}
	}
	for _, request := range slices.Sorted(maps.Keys(found)) {
		method, path, named := strings.Cut(request, " ")
		if !named {
			method, path = "GET", request
		}
		got := s.send(method+" "+path, "")
		if got.status == 405 && !named { // the example of a POST
			method = "POST"
			got = s.send(method+" "+path, "")
		}
		switch {
		case got.status < 400:
		case got.status == 400 && !strings.Contains(path, "?"): // only the route is written, without what it requires
		case got.status == 404 && strings.HasPrefix(got.String(), "404 id "): // nothing is stored here
		default:
			t.Errorf("%s in %s: %s", request, found[request], got)
		}
	}
}

// writtenURLs returns the URLs in the files, each with the name of a file that has
// it: "GET /path", or "/path" where no method is written. Placeholders are
// "_", or a value that is valid in their place.
func writtenURLs(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range written {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := serviceHost.ReplaceAllString(string(content), "SERVICE")
			text = strings.ReplaceAll(text, "<metric>", "change_lead_time")
			text = strings.ReplaceAll(text, ":metric.svg", "change_lead_time.svg")
			text = strings.ReplaceAll(text, "/badge/{file}", "/badge/change_lead_time.svg")
			text = placeholder.ReplaceAllString(text, "_")
			for _, m := range writtenURL.FindAllStringSubmatch(text, -1) {
				request := strings.TrimRight(m[2]+m[3], ".:")
				if m[1] != "" {
					request = m[1] + " " + request
				}
				found[fillQuery(request)] = file
			}
		}
	}
	return found
}

// fillQuery replaces the placeholders of parameters that not every value is valid
// for.
func fillQuery(request string) string {
	for name, value := range map[string]string{
		"window": "30d", "bands": "2023", "tz": "UTC", "from": "2026-03-01", "to": "2026-03-02", "metric": "incidents",
		"interval": "day", "group_by": "project", "format": "json", "type": "unfinished", "limit": "1", "offset": "1",
	} {
		request = regexp.MustCompile(`([?&]`+name+`=)_(&|$)`).ReplaceAllString(request, "${1}"+value+"${2}")
	}
	return request
}

// TestGaugesAreAliasesOfFigures requests the evidence and the badge of every
// figure by its name and by the name of each of its gauges.
func TestGaugesAreAliasesOfFigures(t *testing.T) {
	s := aDay(t)
	for _, f := range dora.Figures() {
		evidence := s.get("/dora/explain?window=1d&metric=" + url.QueryEscape(string(f.Name)))
		badge := s.get("/badge/" + string(f.Name) + ".svg?window=1d")
		for _, g := range f.Gauges {
			if got := s.get("/dora/explain?window=1d&metric=" + g.FullName()); got.status != 200 || got.body != evidence.body {
				t.Errorf("evidence of %s: %s", g.FullName(), got)
			}
			if got := s.get("/badge/" + g.FullName() + ".svg?window=1d"); got.status != 200 || got.body != badge.body {
				t.Errorf("badge of %s: %s", g.FullName(), got)
			}
		}
	}
	const names = "deployment_frequency, change_lead_time, change_failure_rate, failed_deployment_recovery_time, " +
		"deployment_rework_rate, commit_lead_time, deployment_duration, unfinished_deployments, aborted_deployments, time_to_restore, time_to_detect, incidents, open_incidents"
	got := s.get("/dora/explain?metric=dora_luck")
	if want := "400 metric must be one of " + names + ", or the name of a gauge of one"; got.String() != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
