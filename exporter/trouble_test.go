package exporter_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/exporter"
)

// However often a replay is interrupted, the next one continues where it
// stopped, and nothing is exported in between.
func TestInterruptedReplayContinues(t *testing.T) {
	r := newRig(t, exporter.Options{})
	const deployments = 2500
	r.deployMany("shop", deployments)
	r.stop()
	r.start()
	r.forgetSnapshots()
	interrupted := 0
	for limit := 100 * time.Microsecond; ; limit = limit * 3 / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := r.exporter.CatchUp(ctx)
		cancel()
		if err == nil {
			break
		}
		interrupted++
		if status, body := r.get(true); status != http.StatusServiceUnavailable {
			t.Fatalf("during replay /metrics answers %d: %s", status, body)
		}
	}
	if interrupted < 2 {
		t.Errorf("replay was interrupted %d times, so the test proves nothing", interrupted)
	}
	r.expect("after replay", false, map[string]float64{
		"deployment_frequency_total" + shop: deployments, "lead_time_for_changes_seconds_count" + shop: deployments,
		`em_metrics_events_total{kind="deployment_started"}`: deployments,
	})
}

// While the store cannot be read, both outputs export no totals rather than old
// ones. Once it can be read again, they export all of them.
func TestUnreadableStoreExportsNothing(t *testing.T) {
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{CollectorURL: c.url()})
	r.deploy("shop", "1")
	r.push()
	r.expect("before", true, map[string]float64{"deployment_frequency_total" + shop: 1})
	r.deploy("shop", "2")

	r.execute("ALTER TABLE events RENAME TO hidden")
	for _, scraper := range []bool{true, false} {
		if status, body := r.get(scraper); status != http.StatusServiceUnavailable || strings.Contains(body, "hidden") {
			t.Errorf("/metrics answers %d: %s", status, body)
		}
	}
	if err := r.exporter.ForceFlush(t.Context()); err == nil {
		t.Error("a push succeeded")
	}
	c.expect("while the store cannot be read", map[string]float64{"deployment_frequency_total" + shop: 1})

	r.execute("ALTER TABLE hidden RENAME TO events")
	r.expect("afterwards", true, map[string]float64{"deployment_frequency_total" + shop: 2})
	r.push()
	c.expect("afterwards", map[string]float64{"deployment_frequency_total" + shop: 2})
}

// database opens the database without the store.
func (r *rig) database() *sql.DB {
	r.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+r.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		r.t.Fatal(err)
	}
	return pool
}

// execute changes the database without going through the store.
func (r *rig) execute(statement string) {
	r.t.Helper()
	pool := r.database()
	defer pool.Close()
	if _, err := pool.Exec(statement); err != nil {
		r.t.Fatal(err)
	}
}

// A push before the first replay has finished is also complete.
func TestPushBeforeReplayIsComplete(t *testing.T) {
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{})
	for n := range 20 {
		r.deploy("shop", fmt.Sprint(n))
	}
	r.stop()
	r.options.CollectorURL = c.url()
	r.start()
	r.push()
	c.expect("without a previous replay", map[string]float64{"deployment_frequency_total" + shop: 20})
}

// OpenMetrics is supported, but without created timestamps, which would change
// with every restart.
func TestOpenMetrics(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.deploy("shop", "1")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	kind, body := response.Header.Get("Content-Type"), string(content)
	if !strings.HasPrefix(kind, "application/openmetrics-text; version=1.0.0") || !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("the response is %s and ends in %q", kind, body[max(0, len(body)-20):])
	}
	if strings.Contains(body, "_created") {
		t.Error("the response has created timestamps")
	}
	types := map[string]bool{}
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "# TYPE ") {
			name := strings.Fields(line)[2]
			if types[name] {
				t.Errorf("there are two families %s", name)
			}
			types[name] = true
		}
	}
	if want := `deployment_frequency_total{environment="production",project_id="shop"} 1.0`; !strings.Contains(body, want) {
		t.Errorf("the response does not contain %s", want)
	}
}
