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

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// crashRounds is the number of times the service is killed under load.
const crashRounds = 10

// crash keeps the answers that clients received over all rounds.
type crash struct {
	*programtest.Service
	t *testing.T

	mu           sync.Mutex
	acknowledged map[string]bool // requests answered with 2xx, as "path body"
	unanswered   []string        // requests without an answer
}

// Every event acknowledged before a kill -9 is in the store and in /metrics
// afterwards, once. The others can be sent again without being counted twice.
func TestAcknowledgedEventsSurviveKill(t *testing.T) {
	c := &crash{Service: programtest.StartService(t), t: t, acknowledged: map[string]bool{}}
	for round := range crashRounds {
		c.loadAndKill(round)
		c.Start()
		c.checkStore()
		c.checkMetrics("after the kill")
	}
	if len(c.acknowledged) < 10*crashRounds {
		t.Fatalf("only %d requests were acknowledged, too few to show anything", len(c.acknowledged))
	}
	unanswered := c.unanswered
	for _, request := range unanswered {
		path, body, _ := strings.Cut(request, " ")
		c.Post(path, body)
		c.acknowledged[request] = true
	}
	c.checkMetrics("after the unanswered requests were sent again")
	t.Logf("%d requests were acknowledged and %d unanswered", len(c.acknowledged), len(unanswered))
}

// loadAndKill sends requests from many clients at once and kills the service
// after a few hundred have been acknowledged.
func (c *crash) loadAndKill(round int) {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	before := c.count()
	var clients sync.WaitGroup
	for client := range 16 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if !c.sendDeployment(ctx, fmt.Sprintf("r%d-c%d-n%d", round, client, n)) {
					return
				}
			}
		})
	}
	programtest.Eventually(c.t, 20*time.Second, func() error {
		if sent := c.count() - before; sent < 200+37*round {
			return fmt.Errorf("only %d requests were acknowledged", sent)
		}
		return nil
	})
	_ = c.Stop(syscall.SIGKILL)
	cancel()
	clients.Wait()
}

// sendDeployment sends a deployment from its start to its incident, until a
// request has no answer.
func (c *crash) sendDeployment(ctx context.Context, id string) (alive bool) {
	first := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for _, request := range []string{
		fmt.Sprintf(`/deployments {"id": %q, "project_id": "shop", "first_commit_at": %q}`, id, first),
		fmt.Sprintf(`/deployments/%s/deployed {}`, id),
		fmt.Sprintf(`/incidents {"id": %q, "project_id": "shop", "deployment_id": %q}`, id, id),
		fmt.Sprintf(`/incidents/%s/finished {}`, id),
	} {
		path, body, _ := strings.Cut(request, " ")
		response, _, err := c.Do(ctx, http.MethodPost, path, body)
		c.mu.Lock()
		switch {
		case err != nil:
			c.unanswered = append(c.unanswered, request)
		case response.StatusCode < http.StatusMultipleChoices:
			c.acknowledged[request] = true
		default:
			c.t.Errorf("POST %s was answered %s", request, response.Status)
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

// checkStore reads the file beside the service: it is intact, no event is stored
// twice, and every acknowledged event is stored.
func (c *crash) checkStore() {
	c.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+c.Database+"?mode=ro")
	if err != nil {
		c.t.Fatal(err)
	}
	defer pool.Close()
	var integrity string
	if err := pool.QueryRow("PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		c.t.Fatalf("the database is damaged: %s %v", integrity, err)
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
			c.t.Errorf("%s was acknowledged, but %s is not stored", request, event)
		}
	}
}

// eventOf returns the event that a request of [crash.sendDeployment] causes, as
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
// number acknowledged and at most the number sent.
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
	totals := c.Metrics()
	for kind, series := range map[string]string{
		"deployment_started": "deployment_started_total", "deployment_deployed": "deployment_frequency_total",
		"incident_started": "incident_count_total", "incident_finished": "incident_finished_total",
	} {
		got := totals[series+`{environment="NO_ENV", project_id="shop"}`]
		if got < acknowledged[kind] || got > sent[kind] {
			c.t.Errorf("%s: %s is %v, with %v acknowledged and %v sent", when, series, got, acknowledged[kind], sent[kind])
		}
	}
}
