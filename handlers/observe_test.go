package handlers_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// withPanic makes /metrics panic after it has written a part of the response.
func withPanic(part string, cause any) func(*setup) {
	return func(o *setup) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			if part == "" {
				w.Header().Set("Content-Length", "1000")
			} else {
				_, _ = io.WriteString(w, part)
				_ = http.NewResponseController(w).Flush()
			}
			panic(cause)
		})
	}
}

func TestPanicIsA500AndIsLogged(t *testing.T) {
	s := start(t, withPanic("", "an internal detail"))
	want := "500 server the error has been logged; the request can safely be retried"
	for range 3 {
		if got := s.get("/metrics"); got.String() != want {
			t.Errorf("got %s", got)
		}
	}
	if n := strings.Count(s.log.String(), "an internal detail"); n < 3 || !strings.Contains(s.log.String(), "observe_test.go") {
		t.Errorf("%d times in the log:\n%s", n, s.log)
	}
	if got := s.send("POST /incidents", `{"id": "1", "project_id": "shop"}`); got.status != 201 {
		t.Errorf("after the panics: %s", got)
	}
}

// TestTruncatedResponseIsDetectable: a client that received a part of a response
// must not mistake it for complete.
func TestTruncatedResponseIsDetectable(t *testing.T) {
	for name, cause := range map[string]any{
		"a panic": errors.New("out of luck"), "an abort": http.ErrAbortHandler,
		"a wrapped abort": fmt.Errorf("copy: %w", http.ErrAbortHandler),
	} {
		s := start(t, withPanic("half", cause))
		response, err := plain(s.client.Transport).RoundTrip(request(t, s.url+"/metrics"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if string(body) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: read %q, %v", name, body, err)
		}
		_ = response.Body.Close()
		s.get("/health")
		if logged := strings.Contains(s.log.String(), "handler panicked"); logged != (name == "a panic") {
			t.Errorf("%s: logged %v", name, logged)
		}
	}
}

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMetricsAreOptional(t *testing.T) {
	s := start(t, func(o *setup) { o.NoMetrics = true })
	if got := s.get("/metrics"); got.String() != "404 path /metrics is not served by this process" {
		t.Error(got)
	}
}

var volatile = regexp.MustCompile(`time=\S+ |duration_seconds=\S+ |client=\S+`)

// TestEachRequestIsLoggedOnOneLine compares the log at the default level, and looks
// for contents that must not be in it.
func TestEachRequestIsLoggedOnOneLine(t *testing.T) {
	s := start(t)
	s.send("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "user": "bob-in-the-body"}`)
	s.send("POST /api/v1/deployments/a%2Fb%0Aforged/deployed", `{"project_id": "in-the-body"}`)
	s.send("POST /incidents", `{"project_id": "in-the-body", "unknown": 1}`)
	for _, quiet := range []string{"/health", "/ready", "/metrics", "/api/v1/health", "/api/v1/ready", "/api/v1/metrics"} {
		s.get(quiet)
	}
	s.get("/nothing?query=in-the-query")
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(s.log.String()), "\n") {
		if strings.Contains(line, "level=INFO") {
			lines = append(lines, strings.TrimSpace(volatile.ReplaceAllString(line, "")))
		}
	}
	compare(t, "log", lines, []string{
		"level=INFO msg=request method=POST path=/deployments status=201",
		"level=INFO msg=request method=POST path=/api/v1/deployments/a%2Fb%0Aforged/deployed status=400",
		"level=INFO msg=request method=POST path=/incidents status=400",
		"level=INFO msg=request method=GET path=/nothing status=404",
	})
	for _, private := range []string{"in-the-body", "in-the-query"} {
		if strings.Contains(s.log.String(), private) {
			t.Errorf("%q is in the log:\n%s", private, s.log)
		}
	}
}

var requestCount = regexp.MustCompile(`(?m)^http_server_request_duration_seconds_count\{(.*)\} (\d+)$`)

func TestRequestsAreCountedByRouteAndStatus(t *testing.T) {
	s := start(t)
	for i := range 3 {
		s.send("POST /deployments", fmt.Sprintf(`{"id": "%d", "project_id": "shop", "first_commit_at": "@10:00"}`, i))
		s.get(fmt.Sprint("/deployments/", i))
		s.get(fmt.Sprint("/nothing/", i))
		s.send(fmt.Sprintf("METHOD%d /deployments", i), "")
		s.send(fmt.Sprintf("POST /api/v1/incidents/%d/restored", i), "")
	}
	s.send("HEAD /health", "")
	s.send("DELETE /deployments", "")
	var got []string
	for _, m := range requestCount.FindAllStringSubmatch(s.get("/metrics").body, -1) {
		got = append(got, m[1]+" "+m[2])
	}
	slices.Sort(got)
	compare(t, "requests", got, []string{
		`http_request_method="DELETE",http_response_status_code="405" 1`,
		`http_request_method="GET",http_response_status_code="200",http_route="/deployments/:id" 3`,
		`http_request_method="GET",http_response_status_code="404" 3`,
		`http_request_method="HEAD",http_response_status_code="200",http_route="/health" 1`,
		`http_request_method="POST",http_response_status_code="201",http_route="/deployments" 3`,
		`http_request_method="POST",http_response_status_code="404",http_route="/api/v1/incidents/:id/restored" 3`,
		`http_request_method="_OTHER",http_response_status_code="405" 3`,
	})
}

// TestResponsesAreNeitherStoredNorSniffed requests every kind of response. Only
// badges may be stored, as before.
func TestResponsesAreNeitherStoredNorSniffed(t *testing.T) {
	s := aDay(t)
	panics := start(t, withPanic("", "an internal detail"))
	closed := start(t, withAuth(tokenOnly))
	for request, answers := range map[string]struct {
		service *service
		status  int
	}{
		"GET /deployments":                              {s, 200},
		"GET /incidents":                                {s, 200},
		"GET /dora":                                     {s, 200},
		"GET /dora?format=csv":                          {s, 200},
		"GET /dora/explain?metric=incidents":            {s, 200},
		"GET /dora/explain?metric=incidents&format=csv": {s, 200},
		"GET /":                            {s, 200},
		"GET /config":                      {s, 200},
		"GET /version":                     {s, 200},
		"GET /openapi.yaml":                {s, 200},
		"GET /health":                      {s, 200},
		"GET /ready":                       {s, 200},
		"GET /metrics":                     {s, 200},
		"GET /badge/incidents.svg":         {s, 200},
		"GET /badge/incidents.svg?a=b":     {s, 400},
		"GET /badge/unknown.svg":           {s, 404},
		"POST /incidents":                  {s, 400},
		"PUT /incidents":                   {s, 405},
		"POST /incidents/nothing/restored": {s, 404},
		"GET /nothing":                     {s, 404},
		"GET /dora?a=b":                    {closed, 401},
		"GET /api/v1/metrics":              {panics, 500},
	} {
		got := answers.service.send(request, "")
		cached := "no-store"
		if request == "GET /badge/incidents.svg" {
			cached = "max-age=300"
		}
		if got.status != answers.status || got.header.Get("Cache-Control") != cached || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %q", request, got.status, got.header)
		}
	}
}
