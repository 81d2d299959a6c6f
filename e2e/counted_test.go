package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// paths returns the two paths from the service to Prometheus. Each function starts
// both.
func paths() map[string]func(*testing.T) (*programtest.Service, *server) {
	return map[string]func(*testing.T) (*programtest.Service, *server){
		"scraped": func(t *testing.T) (*programtest.Service, *server) {
			s := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=3s")
			return s, startPrometheus(t, scrapeConfig(s))
		},
		"pushed": func(t *testing.T) (*programtest.Service, *server) {
			p := startPrometheus(t, "", "--web.enable-otlp-receiver")
			return programtest.StartService(t, pushTo(p)...), p
		},
	}
}

// pushTo returns the settings of a service that pushes to a Prometheus.
func pushTo(p *server) []string {
	return []string{
		"EM_METRICS_SERIES_HOLD=3s", "OTEL_METRIC_EXPORT_INTERVAL=1000",
		"OTEL_COLLECTOR_URL=http://" + p.address + "/api/v1/otlp/v1/metrics",
	}
}

// A series that first appears with the value 1 has no increase in Prometheus, which
// would lose the first events of every project.
func TestFirstEventsOfAProjectAreCounted(t *testing.T) {
	t.Parallel()
	for name, start := range paths() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := start(t)
			p.waitFor("em_metrics_build_info * 0", 0) // Prometheus has data of the service
			s.Deploy("shop", 1)
			s.Post("/incidents", `{"id": "i1", "project_id": "shop", "deployment_id": "shop-1"}`)

			const labels = `{environment="NO_ENV", project_id="shop"}`
			values := s.Metrics()
			for _, series := range []string{
				"deployment_started_total", "deployment_frequency_total", "incident_count_total",
				"change_failure_count_total", "lead_time_for_changes_seconds_count", "time_to_detect_seconds_count",
			} {
				if got := values[series+labels]; got != 1 {
					t.Errorf("the service exposes %s as %v at once, want 1", series, got)
				}
				p.waitFor(fmt.Sprintf("round(increase(%s%s[1m]))", series, labels), 1)
			}
			p.waitFor("deployment_frequency_total"+labels, 1)
		})
	}
}

func TestRestartChangesNoTotals(t *testing.T) {
	t.Parallel()
	for name, start := range paths() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := start(t)
			for n := range 5 {
				s.Deploy("shop", n)
			}
			p.waitFor(`deployment_frequency_total{project_id="shop"}`, 5)

			before := time.Now()
			s.KillAndStart()
			for n := range 3 {
				s.Deploy("shop", 100+n)
			}
			s.Deploy("newcomer", 1)
			p.waitFor(`deployment_frequency_total{project_id="shop"}`, 8)
			p.waitFor(`deployment_frequency_total{project_id="newcomer"}`, 1)

			// increase() extrapolates to the edges of its range, so the range must be
			// long compared to the second between two samples.
			programtest.Eventually(t, time.Minute, func() error {
				if time.Since(before) < 20*time.Second {
					return fmt.Errorf("only %s have passed since the restart", time.Since(before))
				}
				return nil
			})
			since := fmt.Sprintf("[%ds]", int(time.Since(before).Seconds())+1)
			for expression, want := range map[string]float64{
				`round(increase(deployment_frequency_total{project_id="shop"}%s))`:          3,
				`round(increase(lead_time_for_changes_seconds_count{project_id="shop"}%s))`: 3,
				`round(increase(deployment_frequency_total{project_id="newcomer"}%s))`:      1,
				`resets(deployment_frequency_total{project_id="shop"}%s)`:                   0,
				`resets(lead_time_for_changes_seconds_sum{project_id="shop"}%s)`:            0,
				`max_over_time(deployment_frequency_total{project_id="shop"}%s)`:            8,
				`min_over_time(deployment_frequency_total{project_id="shop"}%s)`:            5,
				`round(increase(em_metrics_events_total{kind="deployment_deployed"}%s))`:    4,
			} {
				got, err := p.single(fmt.Sprintf(expression, since))
				if err != nil || got != want {
					t.Errorf("%s = %v (%v), want %v", fmt.Sprintf(expression, since), got, err, want)
				}
			}
		})
	}
}

// The dashboards work for both paths only if the series are the same.
func TestBothPathsHaveTheSameSeries(t *testing.T) {
	t.Parallel()
	pushed := startPrometheus(t, "", "--web.enable-otlp-receiver")
	s := programtest.StartService(t, pushTo(pushed)...)
	scraped := startPrometheus(t, scrapeConfig(s))
	for n := range 4 {
		s.Deploy("shop", n)
	}
	s.Deploy("a/b ünïcode \"quoted\"", 1)
	s.Post("/incidents", `{"id": "i1", "project_id": "shop", "deployment_id": "shop-1"}`)
	s.Post("/incidents/i1/finished", "")
	scraped.waitFor(`time_to_restore_seconds_count{project_id="shop"}`, 1)
	pushed.waitFor(`time_to_restore_seconds_count{project_id="shop"}`, 1)

	programtest.Eventually(t, 30*time.Second, func() error { return compareSeries(scraped, pushed) })
}

// volatile lists the gauges that change without an event.
var volatile = []string{"em_metrics_store_size_bytes", "em_metrics_store_available_bytes"}

// compareSeries returns an error unless a and b, which scrape and receive pushes,
// have the same series with the same values.
func compareSeries(a, b *server) error {
	as, err := a.series()
	if err != nil {
		return err
	}
	bs, err := b.series()
	if err != nil {
		return err
	}
	if len(as) < 100 {
		return fmt.Errorf("only %d series", len(as))
	}
	var differences []string
	for series, value := range as {
		other, ok := bs[series]
		changes := false
		for _, name := range volatile {
			changes = changes || strings.HasPrefix(series, name)
		}
		if !ok || other != value && !changes {
			differences = append(differences, fmt.Sprintf("%s is scraped as %v and pushed as %v (%v)", series, value, other, ok))
		}
	}
	for series := range bs {
		if _, ok := as[series]; !ok {
			differences = append(differences, series+" is only pushed")
		}
	}
	if len(differences) > 0 {
		return fmt.Errorf("the paths differ:\n%s", strings.Join(differences, "\n"))
	}
	return nil
}
