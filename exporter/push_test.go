package exporter_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/em-metrics/em-metrics/exporter"
)

// newPushRig creates a rig that pushes only when the test asks for it.
func newPushRig(t *testing.T, o exporter.Options) *rig {
	t.Helper()
	o.PushInterval = time.Hour
	return newRig(t, o)
}

// push pushes all metrics, retrying until the collector is reachable.
func (r *rig) push() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		err := r.exporter.ForceFlush(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			r.t.Fatal(err)
		}
	}
}

// expectPushMatchesScrape pushes, and checks that the pushed series are exactly
// those that a scraper sees.
func (r *rig) expectPushMatchesScrape(c *receiver) {
	r.t.Helper()
	r.push()
	compared := func(name string) bool {
		return !strings.HasPrefix(name, "dora_") &&
			(strings.Contains(name, "project_id=") || strings.Contains(name, "otel_metric_overflow=") || strings.Contains(name, "kind="))
	}
	scraped, pushed, n := r.values(true), c.received(), 0
	for name, want := range scraped {
		if compared(name) {
			n++
			if s, ok := pushed[name]; !ok || s.value != want {
				r.t.Errorf("%s was pushed as %v (pushed: %v) and scraped as %v", name, s.value, ok, want)
			}
		}
	}
	for name, s := range pushed {
		if _, ok := scraped[name]; compared(name) && !ok {
			r.t.Errorf("%s was pushed as %v and not scraped", name, s.value)
		}
	}
	if n < 19 {
		r.t.Errorf("only %d series to compare", n)
	}
}

// Both outputs export the same series, whatever temporality the environment
// prefers.
func TestPushMatchesScrape(t *testing.T) {
	for name, test := range map[string]struct{ scheme, path, wantPath string }{
		"HTTP":             {"http", "", "/v1/metrics"},
		"HTTP, slash":      {"http", "/", "/v1/metrics"},
		"HTTP, path given": {"http", "/api/v1/otlp/v1/metrics", "/api/v1/otlp/v1/metrics"},
		"gRPC":             {"grpc", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=delivery")
			c := newReceiver(t, test.scheme)
			r := newPushRig(t, exporter.Options{
				CollectorURL: c.url() + test.path, ServiceName: "em_metrics", ServiceVersion: "1.2.3",
				Environment: "production", LabelSetLimit: 2,
			})
			r.exporter.Declare(t.Context(), "declared", "production", "blue")
			for _, project := range []string{"shop", "pay\"ments", "beyond"} {
				r.deploy(project, "1")
				r.open(project, "i", "1")
			}
			r.expectPushMatchesScrape(c)
			r.deploy("shop", "2")
			r.expectPushMatchesScrape(c)
			for name, s := range c.received() {
				if s.temporality != metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
					t.Errorf("%s was pushed as %s", name, s.temporality)
				}
			}
			if len(c.paths) != 1 || !c.paths[test.wantPath] {
				t.Errorf("pushed to %v, want %s", c.paths, test.wantPath)
			}
			for key, want := range map[string]string{
				"service.name": "em_metrics", "service.version": "1.2.3",
				"deployment.environment.name": "production", "service.namespace": "delivery",
			} {
				if c.resource[key] != want {
					t.Errorf("the resource has %s=%q, want %q", key, c.resource[key], want)
				}
			}
			if c.resource["service.instance.id"] == "" {
				t.Error("the resource has no service.instance.id")
			}
		})
	}
}

func TestNewSeriesIsPushedAtZeroFirst(t *testing.T) {
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{SeriesHold: time.Minute, CollectorURL: c.url()})
	one := map[string]float64{
		"deployment_started_total" + shop: 1, "deployment_frequency_total" + shop: 1,
		"lead_time_for_changes_seconds_count" + shop: 1, "lead_time_for_changes_seconds_sum" + shop: 3600,
	}
	zero := map[string]float64{"lead_time_for_changes_seconds_buckets" + shop: 0}
	for name := range one {
		zero[name] = 0
	}
	r.deploy("shop", "1")
	r.push()
	c.expect("at once", zero)
	r.expect("at once, to a person", false, one)
	r.advance(59 * time.Second)
	r.restart()
	r.push()
	c.expect("before the hold ends, after a restart", zero)
	r.advance(time.Second)
	r.push()
	c.expect("when the hold ends", one)
}

// The start time of a series is when the first event of its label set was
// recorded in the store.
func TestStartTimesSurviveRestarts(t *testing.T) {
	c := newReceiver(t, "grpc")
	r := newPushRig(t, exporter.Options{CollectorURL: c.url(), LabelSetLimit: 2})
	starts := map[string]time.Time{}
	for _, project := range []string{"shop", "other", "beyond"} {
		r.advance(time.Hour)
		starts[project] = r.now()
		r.deploy(project, "1")
	}
	check := func(when string) {
		t.Helper()
		got := c.received()
		for name, want := range map[string]time.Time{
			"deployment_frequency_total" + shop:                                                 starts["shop"],
			"incident_count_total" + shop:                                                       starts["shop"],
			"lead_time_for_changes_seconds_count" + shop:                                        starts["shop"],
			`deployment_frequency_total{environment="production", project_id="other"}`:          starts["other"],
			`deployment_frequency_total{otel_metric_overflow="true"}`:                           starts["beyond"],
			`em_metrics_events_total{kind="deployment_deployed"}`:                               starts["shop"],
			`em_metrics_label_sets_overflowed_events_total{}`:                                   starts["beyond"],
			`lead_time_for_changes_seconds_count{environment="production", project_id="other"}`: starts["other"],
		} {
			if s, ok := got[name]; !ok || !s.start.Equal(want) {
				t.Errorf("%s: %s starts at %v (pushed: %v), want %v", when, name, s.start, ok, want)
			}
		}
	}
	r.push()
	check("before a restart")
	r.advance(time.Hour)
	r.deploy("shop", "2")
	r.restart()
	// The empty histograms of a declared project have the same start time.
	r.exporter.Declare(t.Context(), "shop", "production", "")
	r.push()
	check("after a restart")
	if s := c.received()["time_to_restore_seconds_count"+shop]; !s.start.Equal(starts["shop"]) {
		t.Errorf("an empty histogram starts at %v, want %v", s.start, starts["shop"])
	}
}

// An outage delays no request or scrape, loses no totals and is counted.
func TestTotalsArriveAfterAnOutage(t *testing.T) {
	t.Setenv("OTEL_METRIC_EXPORT_TIMEOUT", "2000")
	for _, scheme := range []string{"http", "grpc"} {
		for name, outage := range map[string]behaviour{"refused": refuse, "error": fail, "unavailable": postpone, "hanging": hang} {
			t.Run(scheme+" "+name, func(t *testing.T) {
				c := newReceiver(t, scheme)
				r := newPushRig(t, exporter.Options{CollectorURL: c.url()})
				r.deploy("shop", "1")
				r.push()

				c.behave(outage)
				r.deploy("shop", "2")
				pushed := make(chan error, 1)
				go func() { pushed <- r.exporter.ForceFlush(t.Context()) }()
				if outage == hang {
					<-c.hanging // a push is in progress
				}
				r.deploy("shop", "3")
				r.expect("during the outage", false, map[string]float64{"deployment_frequency_total" + shop: 3})
				if outage == hang {
					select {
					case err := <-pushed:
						t.Errorf("the push has ended (%v), so the test proves nothing", err)
					default:
					}
				}
				if err := <-pushed; err == nil {
					t.Error("a push during the outage succeeded")
				}
				// The flush may return shortly before the push it waits for has failed.
				for deadline := time.Now().Add(5 * time.Second); r.values(false)["em_metrics_push_failures_total{}"] < 1 && time.Now().Before(deadline); {
					runtime.Gosched()
				}
				r.expect("after the failed push", false, map[string]float64{"em_metrics_push_failures_total{}": 1})

				c.behave(accept)
				r.expectPushMatchesScrape(c)
				c.expect("after the outage", map[string]float64{"deployment_frequency_total" + shop: 3})
			})
		}
	}
}

func TestShutdownRespectsDeadlineWhenCollectorHangs(t *testing.T) {
	for _, scheme := range []string{"http", "grpc"} {
		c := newReceiver(t, scheme)
		r := newPushRig(t, exporter.Options{CollectorURL: c.url()})
		r.deploy("shop", "1")
		c.behave(hang)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := r.exporter.Shutdown(ctx)
		if took := time.Since(start); err == nil || took > 5*time.Second {
			t.Errorf("%s: Shutdown returned %v after %s, want an error after 200ms", scheme, err, took)
		}
	}
}

func TestShutdownPushesPendingMetrics(t *testing.T) {
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{CollectorURL: c.url()})
	r.deploy("shop", "1")
	r.stop()
	c.expect("after shutdown", map[string]float64{"deployment_frequency_total" + shop: 1})
	r.start() // the rig stops it again
}

func TestDeclaredProjectsArePushedAtZero(t *testing.T) {
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{CollectorURL: c.url()})
	r.exporter.Declare(t.Context(), "shop", "production", "")
	r.push()
	zero := map[string]float64{"deployment_frequency_total" + shop: 0}
	for _, histogram := range []string{"lead_time_for_changes", "deployment_duration", "time_to_detect", "time_to_restore"} {
		zero[histogram+"_seconds_count"+shop] = 0
		zero[histogram+"_seconds_buckets"+shop] = 0
	}
	c.expect("before any event", zero)
	r.deploy("shop", "1")
	r.expectPushMatchesScrape(c)
}
