package handlers_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// requestWithoutReading sends a GET request and reads nothing of the answer.
func (s *service) requestWithoutReading(path string, headers ...string) {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	lines := append([]string{"GET " + path + " HTTP/1.1", "Host: test"}, headers...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
}

// TestClientsThatDoNotReadMakePlace sends, and does not read, as many requests for
// large answers as are served at once. Other routes and other kinds of clients are
// served all the same, and further requests once the first have been cut off.
func TestClientsThatDoNotReadMakePlace(t *testing.T) {
	const scraper, series = "X-Prometheus-Scrape-Timeout-Seconds: 10", "/dora?window=364d&group_by=project&interval=day"
	large := strings.Repeat("# more than the kernel takes for a client that does not read\n", 200_000)
	s := start(t, func(o *setup) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, large)
		})
	})
	s.client.Transport = http.DefaultTransport
	deployEach(t, s, 100)
	for range 2 {
		s.requestWithoutReading("/metrics", scraper)
		s.requestWithoutReading(series)
	}
	for _, path := range []string{"/metrics", "/dora?window=1d", "/deployments", "/"} {
		if got := s.get(path); got.status != 200 {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
	for _, test := range []struct{ path, header string }{{"/metrics", scraper}, {series, ""}} {
		for deadline := time.Now().Add(time.Minute); ; {
			got := s.get(test.path, test.header)
			if got.status == 200 {
				break
			}
			if got.status != 503 || got.header.Get("Retry-After") == "" || time.Now().After(deadline) {
				t.Fatalf("GET %s: %s", test.path, got)
			}
		}
	}
}

// TestRequestsForLargeAnswersWaitForTheirTurn sends more of them than are served at
// once.
func TestRequestsForLargeAnswersWaitForTheirTurn(t *testing.T) {
	running, most := make(chan struct{}, 100), 0
	s := start(t, func(o *setup) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			running <- struct{}{}
			most = max(most, len(running)) // one at a time
			w.Header().Set("Content-Type", "text/plain")
			_, _ = fmt.Fprintln(w, "# nothing")
			<-running
		})
	})
	answers := make(chan answer)
	for range 20 {
		go func() { answers <- s.get("/metrics") }()
	}
	for range 20 {
		if got := <-answers; got.status != 200 {
			t.Error(got)
		}
	}
	if most != 1 {
		t.Errorf("%d at once", most)
	}
}
