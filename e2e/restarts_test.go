package e2e

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// Every start begins with another snapshot of the totals, or with none. To
// Prometheus no sum falls, not even by its last bit, which would count all of it
// again.
func TestRestartsFromSnapshotsResetNothing(t *testing.T) {
	t.Parallel()
	for name, start := range paths() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := start(t)
			random := rand.New(rand.NewPCG(1, 15))
			deployments, leads := 0, int64(0)
			for range programtest.Rounds(3, 10) {
				// Without a chance to save: all events are replayed at first, then those
				// since the snapshot. With one: none.
				for _, end := range []func(){s.KillAndStart, func() { stopAndStart(t, s) }} {
					for range 5 {
						deployments++
						leads += deployWithin(s, deployments, 1+random.Int64N(90*24*3600*1000))
					}
					p.waitFor(`deployment_frequency_total{project_id="shop"}`, float64(deployments))
					end()
					p.waitFor(`lead_time_for_changes_seconds_sum{project_id="shop"}`, float64(leads)/1000)
				}
			}
			for _, series := range []string{
				"lead_time_for_changes_seconds_sum", "deployment_duration_seconds_sum", "time_to_detect_seconds_sum",
				"time_to_restore_seconds_sum", "lead_time_for_changes_seconds_count", "deployment_frequency_total",
			} {
				expression := fmt.Sprintf(`resets(%s{project_id="shop"}[1h])`, series)
				if got, err := p.single(expression); err != nil || got != 0 {
					t.Errorf("%s = %v (%v), want 0", expression, got, err)
				}
			}
		})
	}
}

func stopAndStart(t *testing.T, s *programtest.Service) {
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	s.Start()
}

// deployWithin records a deployment of shop with so many milliseconds of lead time
// and a restored incident after as many thousandths, and returns them.
func deployWithin(s *programtest.Service, number int, lead int64) int64 {
	const layout = "2006-01-02T15:04:05.000Z07:00"
	deployed := time.Now().UTC().Add(-time.Minute).Truncate(time.Millisecond)
	date := func(milliseconds int64) string {
		return deployed.Add(time.Duration(milliseconds) * time.Millisecond).Format(layout)
	}
	s.Post("/deployments", fmt.Sprintf(`{"id": "%d", "project_id": "shop", "first_commit_at": %q, "deploy_start_at": %q}`,
		number, date(-lead), date(-lead/1000)))
	s.Post(fmt.Sprintf("/deployments/%d/deployed", number), fmt.Sprintf(`{"project_id": "shop", "deployed_at": %q}`, date(0)))
	s.Post("/incidents", fmt.Sprintf(`{"id": "%d", "project_id": "shop", "deployment_id": "%d", "started_at": %q, "restored_at": %q}`,
		number, number, date(int64(number)*7), date(int64(number)*7+lead%50_000)))
	return lead
}
