package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/handlers"
)

const crossOriginRefusal = "403 Origin is not that of this service; a web page of another site may not change data"

// TestCrossSiteRequestsChangeNothing sends what a browser sends from a page of
// another site: with the password that the browser remembers, and to a service
// without authentication. Routes that do not exist yet are refused too.
func TestCrossSiteRequestsChangeNothing(t *testing.T) {
	requests := append(handlers.Routes(), "POST /nothing", "PATCH /deployments/1", "PUT /deployments", "DELETE /incidents/1")
	for name, auth := range map[string]handlers.Auth{"a remembered password": basicOnly, "no authentication": {Disabled: true}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, withAuth(auth))
			s.must("POST /incidents", `{"id": "1", "project_id": "shop"}`, basic("ci", goodPassword))
			events := len(s.events())
			for _, request := range requests {
				if strings.HasPrefix(request, http.MethodGet) {
					continue
				}
				request = strings.ReplaceAll(request, ":id", "1")
				for _, prefix := range prefixes {
					for _, header := range []string{
						"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
						"Origin: https://elsewhere.example", "Origin: null", "Origin: http://127.0.0.1",
					} {
						got := s.send(at(prefix, request), "", basic("ci", goodPassword), header)
						if got.String() != crossOriginRefusal || !strings.Contains(got.body, "README.md#error-cross-origin") {
							t.Errorf("%s with %s: %s", at(prefix, request), header, got)
						}
					}
				}
			}
			if n := len(s.events()); n != events {
				t.Errorf("%d events, %d before: %q", n, events, s.events())
			}
			log := s.log.String()
			for _, want := range []string{
				`level=DEBUG msg="request failed" method=POST path=/incidents/1/restored status=403`,
				`level=INFO msg=request method=POST path=/incidents/1/restored status=403`,
				`error="cross-origin request detected`,
			} {
				if !strings.Contains(log, want) {
					t.Errorf("not in the log: %s", want)
				}
			}
		})
	}
}

// TestRequestsFromElsewhereThanAnotherSiteAreAccepted: CI and the clients of the
// older service send no such headers; a page of the service itself may.
func TestRequestsFromElsewhereThanAnotherSiteAreAccepted(t *testing.T) {
	s := start(t, withAuth(bothKinds))
	for _, headers := range [][]string{
		{"Authorization: Bearer " + goodToken},
		{"Authorization: token " + goodToken, "User-Agent: node-fetch/1.0"},
		{basic("ci", goodPassword), "User-Agent: curl/8.5.0"},
		{basic("ci", goodPassword), "Sec-Fetch-Site: same-origin", "Origin: " + s.url},
		{basic("ci", goodPassword), "Origin: " + s.url},
		{basic("ci", goodPassword), "Sec-Fetch-Site: none"},
	} {
		for _, prefix := range prefixes {
			got := s.send("POST "+prefix+"/incidents", `{"id": "1", "project_id": "shop", "started_at": "@11:00"}`, headers...)
			if got.status != 201 && got.status != 200 {
				t.Errorf("%q: %s", headers, got)
			}
		}
	}
	for _, path := range []string{"/incidents", "/", "/badge/incidents.svg", "/metrics"} {
		got := s.get(path, basic("ci", goodPassword), "Sec-Fetch-Site: cross-site", "Origin: https://elsewhere.example")
		if got.status != 200 {
			t.Errorf("reading %s: %s", path, got)
		}
	}
	if n := len(s.events()); n != 1 {
		t.Errorf("%d events: %q", n, s.events())
	}
}
