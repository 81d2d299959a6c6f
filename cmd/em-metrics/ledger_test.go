package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// ledger keeps the answers to every request that clients have sent, as "path
// body", to compare them with what is stored. It is safe for concurrent use.
type ledger struct {
	t *testing.T

	mu           sync.Mutex
	acknowledged map[string]bool // answered with 2xx
	unanswered   []string        // sent without an answer: stored or not
	refused      []string        // answered with 503: not stored
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, acknowledged: map[string]bool{}}
}

// startClients starts clients that send deployments at once, until stop is called
// or the service no longer answers. The ids begin with the prefix, which must not
// be used twice. stop returns when every request has ended.
func (l *ledger) startClients(s *programtest.Service, clients int, prefix string) (stop func()) {
	var running sync.WaitGroup
	stopping := make(chan struct{})
	for client := range clients {
		running.Go(func() {
			for n := 0; !isClosed(stopping) && l.sendDeployment(s, fmt.Sprintf("%s-c%d-n%d", prefix, client, n)); n++ {
			}
		})
	}
	return func() {
		close(stopping)
		running.Wait()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sendDeployment sends a deployment from its start to its incident, until a
// request is refused or has no answer. It reports whether the service answers.
func (l *ledger) sendDeployment(s *programtest.Service, id string) (answers bool) {
	first := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for _, request := range []string{
		fmt.Sprintf(`/deployments {"id": %q, "project_id": "shop", "first_commit_at": %q}`, id, first),
		fmt.Sprintf(`/deployments/%s/deployed {}`, id),
		fmt.Sprintf(`/incidents {"id": %q, "project_id": "shop", "deployment_id": %q}`, id, id),
		fmt.Sprintf(`/incidents/%s/finished {}`, id),
	} {
		if done, answers := l.send(s, request); !done {
			return answers
		}
	}
	return true
}

// send sends a request. It reports whether the request was acknowledged, and
// whether it was answered at all.
func (l *ledger) send(s *programtest.Service, request string) (acknowledged, answered bool) {
	path, body, _ := strings.Cut(request, " ")
	response, _, err := s.Do(l.t.Context(), http.MethodPost, path, body)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED): // not sent
		return false, false
	case err != nil:
		l.unanswered = append(l.unanswered, request)
		return false, false
	case response.StatusCode < http.StatusMultipleChoices:
		l.acknowledged[request] = true
		return true, true
	case response.StatusCode == http.StatusServiceUnavailable:
		l.refused = append(l.refused, request)
		return false, true
	}
	l.t.Errorf("POST %s was answered %s", request, response.Status)
	return false, true
}

// sendUnanswered sends every request without an answer again.
func (l *ledger) sendUnanswered(s *programtest.Service) {
	l.t.Helper()
	for _, request := range l.unanswered {
		path, body, _ := strings.Cut(request, " ")
		s.Post(path, body)
		l.acknowledged[request] = true
	}
	l.unanswered = nil
}

// waitForAcknowledged waits until more requests have been acknowledged.
func (l *ledger) waitForAcknowledged(more int) {
	l.t.Helper()
	l.waitFor(more, "acknowledged", func() int { return len(l.acknowledged) })
}

// waitForRefused waits until more requests have been refused.
func (l *ledger) waitForRefused(more int) {
	l.t.Helper()
	l.waitFor(more, "refused", func() int { return len(l.refused) })
}

func (l *ledger) waitFor(more int, what string, count func() int) {
	l.t.Helper()
	now := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return count()
	}
	before := now()
	programtest.Eventually(l.t, 20*time.Second, func() error {
		if n := now() - before; n < more {
			return fmt.Errorf("%d requests were %s, want %d", n, what, more)
		}
		return nil
	})
}

// report logs how many requests had which answer.
func (l *ledger) report() {
	l.t.Logf("%d requests were acknowledged, %d refused and %d unanswered", len(l.acknowledged), len(l.refused), len(l.unanswered))
}

// check compares the file and the totals of a service with the answers. No client
// may be running.
func (l *ledger) check(s *programtest.Service, when string) {
	l.t.Helper()
	l.checkStore(s.Database, when)
	l.checkMetrics(s, when)
}

// checkStore reads the file beside the service: it is intact, no event is stored
// twice, every acknowledged event is stored and no refused one.
func (l *ledger) checkStore(path, when string) {
	l.t.Helper()
	stored := l.readEvents(path, when)
	for request := range l.acknowledged {
		if event := eventOf(request); !stored[event] {
			l.t.Errorf("%s: %s was acknowledged, but %s is not stored", when, request, event)
		}
	}
	for _, request := range l.refused {
		if event := eventOf(request); stored[event] && !l.acknowledged[request] {
			l.t.Errorf("%s: %s was refused, but %s is stored", when, request, event)
		}
	}
}

// readEvents returns the stored events as "kind id".
func (l *ledger) readEvents(path, when string) map[string]bool {
	l.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		l.t.Fatal(err)
	}
	defer pool.Close()
	var integrity string
	if err := pool.QueryRow("PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		l.t.Fatalf("%s: the database is damaged: %s %v", when, integrity, err)
	}
	rows, err := pool.Query("SELECT kind || ' ' || subject_id, count(*) FROM events GROUP BY 1")
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	stored := map[string]bool{}
	for rows.Next() {
		var event string
		var times int
		if err := rows.Scan(&event, &times); err != nil {
			l.t.Fatal(err)
		}
		if times != 1 {
			l.t.Errorf("%s: %s is stored %d times", when, event, times)
		}
		stored[event] = true
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	return stored
}

// eventOf returns the event that a request of [ledger.sendDeployment] causes, as
// "kind id".
func eventOf(request string) string {
	path, body, _ := strings.Cut(request, " ")
	parts := strings.Split(path, "/")
	if len(parts) == 2 {
		id := strings.Split(body, `"`)[3]
		return map[string]string{"deployments": "deployment_started", "incidents": "incident_started"}[parts[1]] + " " + id
	}
	return map[string]string{"deployed": "deployment_deployed", "finished": "incident_finished"}[parts[3]] + " " + parts[2]
}

// checkMetrics compares the totals with the requests: they are at least the
// number acknowledged, and more by at most the number unanswered.
func (l *ledger) checkMetrics(s *programtest.Service, when string) {
	l.t.Helper()
	acknowledged, unanswered := map[string]float64{}, map[string]float64{}
	for request := range l.acknowledged {
		kind, _, _ := strings.Cut(eventOf(request), " ")
		acknowledged[kind]++
	}
	for _, request := range l.unanswered {
		kind, _, _ := strings.Cut(eventOf(request), " ")
		unanswered[kind]++
	}
	totals := s.Metrics()
	for kind, series := range map[string]string{
		"deployment_started": "deployment_started_total", "deployment_deployed": "deployment_frequency_total",
		"incident_started": "incident_count_total", "incident_finished": "incident_finished_total",
	} {
		got := totals[series+`{environment="NO_ENV", project_id="shop"}`]
		if got < acknowledged[kind] || got > acknowledged[kind]+unanswered[kind] {
			l.t.Errorf("%s: %s is %v, with %v acknowledged and %v unanswered", when, series, got, acknowledged[kind], unanswered[kind])
		}
	}
}
