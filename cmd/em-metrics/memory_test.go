package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
	"github.com/em-metrics/em-metrics/db"
)

// TestMemoryIsBounded starts the program on a store with far more projects than it
// has series for, scrapes it, and asks for everything that has a row or a group for
// each project. It runs under the memory limit that the Terraform module and the
// compose file set.
func TestMemoryIsBounded(t *testing.T) {
	projects := programtest.Rounds(20_000, 100_000)
	deployments := programtest.Rounds(60_000, 1_000_000)
	const limit = 256
	path := t.TempDir() + "/projects.db"
	fillProjects(t, path, projects, deployments)
	s := programtest.StartService(t, "SQLITE_DB="+path, "GOMEMLIMIT=230MiB", "EM_METRICS_WINDOWS=1d,7d,30d,90d")
	metrics := metricsWithWindows(t, s)
	for series, want := range map[string]float64{
		`dora_deployments{environment="production", scope="all", window="90d"}`:                    float64(deployments),
		`dora_deployments{otel_metric_overflow="true", scope="overflow", window="90d"}`:            float64(deployments / projects * (projects - 2000)),
		`dora_deployments{environment="production", scope="team", team_id="team-7", window="90d"}`: float64(deployments / 100),
	} {
		if got := metrics[series]; got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	afterStart := peakMemory(t, s)
	requests := map[string]int{
		"/metrics": 200, "/?window=85d": 200, "/?from=1970-01-01&to=9999-01-01": 200, "/badge/change_lead_time.svg?window=85d": 200,
		"/dora?window=85d&group_by=project": 422, "/dora?window=85d&group_by=project&format=csv": 422,
		"/dora?window=85d&group_by=project&interval=day": 422, "/dora?window=85d&group_by=team&interval=day": 200,
		"/dora?window=85d&group_by=team&interval=day&format=csv":     200,
		"/dora?interval=day&from=1970-01-01&to=2243-01-01":           422,
		"/dora/explain?metric=change_lead_time&window=85d&limit=500": 200,
	}
	for path, status := range requests {
		start := time.Now()
		if got := discard(t, s, path); got != status {
			t.Errorf("GET %s: %d, want %d", path, got, status)
		}
		t.Logf("%s: %s, at most %d MiB", path, time.Since(start).Round(time.Millisecond), peakMemory(t, s))
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { discard(t, s, "/metrics") })
	}
	for range 3 { // each takes seconds
		all.Go(func() { discard(t, s, "/?window=85d") })
	}
	all.Wait()
	peak := peakMemory(t, s)
	t.Logf("%d projects, %d deployments: %d MiB after the start, %d MiB at most", projects, deployments, afterStart, peak)
	if peak >= limit {
		t.Errorf("%d MiB, want less than %d", peak, limit)
	}
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// metricsWithWindows returns the metrics as soon as the figures of windows are among
// them. Those of many deployments come later than the totals.
func metricsWithWindows(t *testing.T, s *programtest.Service) (metrics map[string]float64) {
	t.Helper()
	programtest.Eventually(t, time.Minute, func() error {
		metrics = s.Metrics()
		if _, computed := metrics["dora_series_dropped{}"]; !computed {
			return errors.New("there are no figures of windows")
		}
		return nil
	})
	return metrics
}

// discard sends a GET request and returns the status of the answer.
func discard(t *testing.T, s *programtest.Service, path string) int {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL(path), nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+programtest.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}

// peakMemory returns the most resident memory that the program has had, in MiB.
func peakMemory(t *testing.T, s *programtest.Service) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Skip("only Linux has the memory of a process in /proc")
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

// fillProjects stores deployments of projects in a hundred teams, and their events,
// evenly over the last 85 days: each project has as many.
func fillProjects(t *testing.T, path string, projects, deployments int) {
	t.Helper()
	store, err := db.Open(t.Context(), path, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = pool.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
		INSERT INTO deployments (project_id, environment, id, team_id, first_commit_at, deploy_start_at, deployed_at, began_at, recorded_at)
		SELECT 'project-' || (i % ?2), 'production', printf('%08d', i), 'team-' || (i % 100), at - 3600000 - (i * 7919) % 864000000,
		       at - (i * 104729) % 3600000, at, at - (i * 104729) % 3600000, at
		FROM (SELECT i, ?3 + i * (85 * 86400000 / ?1) AS at FROM n);
		INSERT INTO events (kind, project_id, environment, team_id, subject_id, occurred_at, recorded_at, lead_time_ms, deployment_duration_ms)
		SELECT 'deployment_deployed', project_id, environment, team_id, id, deployed_at, recorded_at,
		       deployed_at - first_commit_at, deployed_at - deploy_start_at FROM deployments`,
		deployments, projects, time.Now().AddDate(0, 0, -85).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
}
