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

// However often reading ends early, the next reading goes on where it ended,
// and nothing is shown in between.
func TestReadingThatEndsEarlyGoesOnWhereItEnded(t *testing.T) {
	r := newRig(t, exporter.Options{})
	const deployments = 2500
	r.deployMany("shop", deployments)
	r.stop()
	r.start()
	ended := 0
	for limit := 100 * time.Microsecond; ; limit = limit * 3 / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := r.exporter.CatchUp(ctx)
		cancel()
		if err == nil {
			break
		}
		ended++
		if status, body := r.get(true); status != http.StatusServiceUnavailable {
			t.Fatalf("before all is read /metrics answers %d: %s", status, body)
		}
	}
	if ended < 2 {
		t.Errorf("reading ended early %d times: the test shows nothing", ended)
	}
	r.expect("after all is read", false, map[string]float64{
		"deployment_frequency_total" + shop: deployments, "lead_time_for_changes_seconds_count" + shop: deployments,
		`em_metrics_events_total{kind="deployment_started"}`: deployments,
	})
}

// A store that cannot be read gives no totals rather than old ones, on both
// outputs, and all of them when it can be read again.
func TestStoreThatCannotBeReadShowsNothing(t *testing.T) {
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

// execute changes the file behind the back of the store.
func (r *rig) execute(statement string) {
	r.t.Helper()
	pool, err := sql.Open("sqlite", "file:"+r.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		r.t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(statement); err != nil {
		r.t.Fatal(err)
	}
}

// A push that comes before the first reading has ended is complete too.
func TestPushBeforeAllIsReadIsComplete(t *testing.T) {
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{})
	for n := range 20 {
		r.deploy("shop", fmt.Sprint(n))
	}
	r.stop()
	r.options.CollectorURL = c.url()
	r.start()
	r.push()
	c.expect("without a reading of its own", map[string]float64{"deployment_frequency_total" + shop: 20})
}

// OpenMetrics is offered and its own created timestamps, which would move with
// each restart, are not.
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
		t.Errorf("the answer is %s and ends in %q", kind, body[max(0, len(body)-20):])
	}
	if strings.Contains(body, "_created") {
		t.Error("the answer has created timestamps")
	}
	if want := `deployment_frequency_total{environment="production",project_id="shop"} 1.0`; !strings.Contains(body, want) {
		t.Errorf("the answer has no %s", want)
	}
}
