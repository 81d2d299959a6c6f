package exporter_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/exporter"
)

// However the clock jumps, to a scraper and to a collector no total falls, and no
// start time moves once it has been exported. When the clock is steady again,
// every total is right.
func TestJumpingClock(t *testing.T) {
	const hold = time.Minute
	c := newReceiver(t, "http")
	r := newPushRig(t, exporter.Options{SeriesHold: hold, CollectorURL: c.url()})
	random := rand.New(rand.NewPCG(1, 1))
	scraped, pushed, deployments := map[string]float64{}, map[string]series{}, map[string]int{}
	for step := range 30 {
		jump := time.Duration(random.Int64N(int64(3*hold))) - 3*hold/2 // in and out of the hold
		if step%8 == 0 {
			jump *= 60
		}
		r.advance(jump)
		project := fmt.Sprintf("project-%d", random.IntN(1+step/5))
		deployments[project]++
		r.deploy(project, fmt.Sprint(step))
		r.push()
		when := fmt.Sprintf("step %d, after a jump of %s", step, jump)

		values := totals(r.values(true))
		for name, before := range scraped {
			if values[name] < before {
				t.Errorf("%s: %s fell from %v to %v", when, name, before, values[name])
			}
		}
		scraped = values
		received := c.received()
		for name, before := range pushed {
			now := received[name]
			if isTotal(name) && now.value < before.value {
				t.Errorf("%s: the pushed %s fell from %v to %v", when, name, before.value, now.value)
			}
			if strings.Contains(name, "project-") && !now.start.Equal(before.start) {
				t.Errorf("%s: the start of the pushed %s moved from %s to %s", when, name, before.start, now.start)
			}
		}
		pushed = maps.Clone(received)
	}
	r.clock.Set(noon.Add(30 * 24 * time.Hour))
	r.push()
	got := c.received()
	want := map[string]float64{}
	for project, n := range deployments {
		name := fmt.Sprintf("deployment_frequency_total{environment=\"production\", project_id=%q}", project)
		want[name] = float64(n)
		if got[name].value != float64(n) {
			t.Errorf("in the end the pushed %s is %v, want %d", name, got[name].value, n)
		}
	}
	r.expect("in the end", true, want)
}

// totals returns the series that must never fall.
func totals(values map[string]float64) map[string]float64 {
	maps.DeleteFunc(values, func(name string, _ float64) bool { return !isTotal(name) })
	return values
}

func isTotal(name string) bool {
	name, _, _ = strings.Cut(name, "{")
	for _, suffix := range []string{"_total", "_count", "_sum", "_buckets"} {
		if strings.HasSuffix(name, suffix) && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			return true
		}
	}
	return false
}
