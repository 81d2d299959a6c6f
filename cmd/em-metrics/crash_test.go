package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// crashRounds is how often the service is killed under load.
const crashRounds = 10

// crash keeps what the clients were told over the rounds.
type crash struct {
	*instance

	mu           sync.Mutex
	acknowledged map[string]bool // the requests that got a 2xx, "path body"
	unanswered   []string        // the requests that got no answer
}

// Whatever was acknowledged before a kill -9 is in the store and in /metrics
// afterwards, once; what was not may be sent again without counting twice.
func TestAcknowledgedEventsSurviveKill(t *testing.T) {
	c := &crash{instance: startInstance(t), acknowledged: map[string]bool{}}
	for round := range crashRounds {
		c.loadAndKill(round)
		c.start()
		c.checkStore()
		c.checkMetrics("after the kill")
	}
	if len(c.acknowledged) < 10*crashRounds {
		t.Fatalf("only %d requests were acknowledged: the test shows little", len(c.acknowledged))
	}
	unanswered := c.unanswered
	for _, request := range unanswered {
		path, body, _ := strings.Cut(request, " ")
		c.mustPost(path, body)
		c.acknowledged[request] = true
	}
	c.checkMetrics("after the unanswered requests were sent again")
	t.Logf("%d requests were acknowledged and %d unanswered", len(c.acknowledged), len(unanswered))
}

// loadAndKill sends from many clients at once and kills the service when some
// hundred requests have been acknowledged.
func (c *crash) loadAndKill(round int) {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	before := c.count()
	var clients sync.WaitGroup
	for client := range 16 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if !c.story(ctx, fmt.Sprintf("r%d-c%d-n%d", round, client, n)) {
					return
				}
			}
		})
	}
	deadline := time.Now().Add(20 * time.Second)
	for c.count() < before+200+37*round && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond) // the load sets the pace, not the clock
	}
	c.signal(syscall.SIGKILL)
	cancel()
	clients.Wait()
}

// story sends a deployment from its start to its incident, as far as it gets.
func (c *crash) story(ctx context.Context, id string) (alive bool) {
	first := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for _, request := range []string{
		fmt.Sprintf(`/deployments {"id": %q, "project_id": "shop", "first_commit_at": %q}`, id, first),
		fmt.Sprintf(`/deployments/%s/deployed {}`, id),
		fmt.Sprintf(`/incidents {"id": %q, "project_id": "shop", "deployment_id": %q}`, id, id),
		fmt.Sprintf(`/incidents/%s/finished {}`, id),
	} {
		path, body, _ := strings.Cut(request, " ")
		status, err := c.post(ctx, path, body)
		c.mu.Lock()
		switch {
		case err != nil:
			c.unanswered = append(c.unanswered, request)
		case status < http.StatusMultipleChoices:
			c.acknowledged[request] = true
		default:
			c.t.Errorf("POST %s was answered %d", request, status)
		}
		c.mu.Unlock()
		if err != nil {
			return false
		}
	}
	return true
}

func (c *crash) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acknowledged)
}

// path is the database file.
func (c *crash) path() string {
	for _, v := range c.env {
		if path, ok := strings.CutPrefix(v, "SQLITE_DB="); ok {
			return path
		}
	}
	return ""
}

// checkStore reads the file beside the service: it is sound, no event is there
// twice, and every acknowledged one is there.
func (c *crash) checkStore() {
	c.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+c.path()+"?mode=ro")
	if err != nil {
		c.t.Fatal(err)
	}
	defer pool.Close()
	var integrity string
	if err := pool.QueryRow("PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		c.t.Fatalf("the file is not sound: %s %v", integrity, err)
	}
	rows, err := pool.Query("SELECT kind || ' ' || subject_id, count(*) FROM events GROUP BY 1")
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	stored := map[string]bool{}
	for rows.Next() {
		var event string
		var times int
		if err := rows.Scan(&event, &times); err != nil {
			c.t.Fatal(err)
		}
		if times != 1 {
			c.t.Errorf("%s is stored %d times", event, times)
		}
		stored[event] = true
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	for request := range c.acknowledged {
		if event := eventOf(request); !stored[event] {
			c.t.Errorf("%s was acknowledged and %s is not stored", request, event)
		}
	}
}

// eventOf is the event that a request of [crash.story] leads to.
func eventOf(request string) string {
	path, body, _ := strings.Cut(request, " ")
	parts := strings.Split(path, "/")
	if len(parts) == 2 {
		id := strings.Split(body, `"`)[3]
		return map[string]string{"deployments": "deployment_started", "incidents": "incident_started"}[parts[1]] + " " + id
	}
	return map[string]string{"deployed": "deployment_deployed", "finished": "incident_finished"}[parts[3]] + " " + parts[2]
}

// checkMetrics compares the totals with the acknowledged requests: none is
// missing, and there are no more than were sent.
func (c *crash) checkMetrics(when string) {
	c.t.Helper()
	sent, acknowledged := map[string]float64{}, map[string]float64{}
	for request := range c.acknowledged {
		kind, _, _ := strings.Cut(eventOf(request), " ")
		acknowledged[kind]++
		sent[kind]++
	}
	for _, request := range c.unanswered {
		if !c.acknowledged[request] {
			kind, _, _ := strings.Cut(eventOf(request), " ")
			sent[kind]++
		}
	}
	shown := c.metrics()
	for kind, series := range map[string]string{
		"deployment_started": "deployment_started_total", "deployment_deployed": "deployment_frequency_total",
		"incident_started": "incident_count_total", "incident_finished": "incident_finished_total",
	} {
		got := shown[series+`{environment="NO_ENV", project_id="shop"}`]
		if got < acknowledged[kind] || got > sent[kind] {
			c.t.Errorf("%s: %s is %v; %v were acknowledged and %v sent", when, series, got, acknowledged[kind], sent[kind])
		}
	}
}
