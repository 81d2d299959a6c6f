package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
)

// BenchmarkStart measures the time from the start of the program to its first
// response to /metrics, for histories of several lengths, with a snapshot of the
// totals and without one.
//
//	go test -run '^$' -bench 'Start|Idle' -benchtime 3x ./cmd/em-metrics
//	EM_METRICS_TEST_LONG=1 go test -run '^$' -bench Start -benchtime 3x ./cmd/em-metrics
func BenchmarkStart(b *testing.B) {
	for _, events := range []int{100_000, 1_000_000, programtest.Rounds(0, 10_000_000)} {
		if events == 0 {
			continue
		}
		path := filepath.Join(b.TempDir(), "history.db")
		fillStore(b, path, events, 100)
		s := programtest.StartService(b, "SQLITE_DB="+path)
		s.Metrics() // from here on there is a snapshot
		stop(b, s)
		b.Run(fmt.Sprintf("events=%d/snapshot", events), func(b *testing.B) { benchmarkStart(b, s) })
		b.Run(fmt.Sprintf("events=%d/replay", events), func(b *testing.B) {
			pool, err := sql.Open("sqlite", "file:"+path)
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			// The totals of another version, which is as good as none.
			_, err = pool.Exec(`CREATE TRIGGER other_layout AFTER INSERT ON snapshots
				BEGIN UPDATE snapshots SET layout = 'other'; END; UPDATE snapshots SET layout = 'other'`)
			if err != nil {
				b.Fatal(err)
			}
			benchmarkStart(b, s)
		})
	}
}

func benchmarkStart(b *testing.B, s *programtest.Service) {
	b.Helper()
	var took, computing time.Duration
	for b.Loop() {
		start := time.Now()
		s.Start()
		waitForMetrics(b, s)
		took += time.Since(start)
		stop(b, s)
		computing += s.CPUTime()
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/start")
	b.ReportMetric(computing.Seconds()/float64(b.N), "cpu-s/start") // depends little on the load of the machine
}

// waitForMetrics asks for /metrics until the service has them.
func waitForMetrics(b *testing.B, s *programtest.Service) {
	b.Helper()
	for {
		response, _, err := s.Do(b.Context(), http.MethodGet, "/metrics", "")
		if err != nil {
			b.Fatal(err)
		}
		if response.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(time.Millisecond) // leave the machine to the service
	}
}

// BenchmarkIdle reports the resident memory of the program after its start, one
// request and one scrape.
func BenchmarkIdle(b *testing.B) {
	var resident float64
	for b.Loop() {
		s := programtest.StartService(b)
		s.Post("/deployments", deployment)
		s.Metrics()
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
		if err != nil {
			b.Skip("only Linux has the memory of a process in /proc")
		}
		_, after, _ := strings.Cut(string(status), "VmRSS:")
		kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
		if err != nil {
			b.Fatal(err)
		}
		resident += kib / 1024
		stop(b, s)
	}
	b.ReportMetric(resident/float64(b.N), "MiB-resident")
}

func stop(b *testing.B, s *programtest.Service) {
	b.Helper()
	if err := s.Stop(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
}

// fillStore writes the rows and events that the store would, in one statement.
func fillStore(b testing.TB, path string, events, projects int) {
	b.Helper()
	store, err := db.Open(context.Background(), path, db.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	// Each deployment has two events. They are spread over the last year.
	_, err = pool.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO deployments (project_id, environment, id, first_commit_at, deploy_start_at, deployed_at, began_at, recorded_at)
		SELECT 'project-' || (i % ?2), 'production', printf('%08d', i), at - 3600000 - (i * 7919) % 864000000,
		       at - (i * 104729) % 3600000, at, at - (i * 104729) % 3600000, at
		FROM (SELECT i, ?3 + i * 31536000000 / ?1 AS at FROM n);
		INSERT INTO events (kind, project_id, environment, subject_id, occurred_at, recorded_at)
		SELECT 'deployment_started', project_id, environment, id, began_at, recorded_at FROM deployments;
		INSERT INTO events (kind, project_id, environment, subject_id, occurred_at, recorded_at, lead_time_ms, deployment_duration_ms)
		SELECT 'deployment_deployed', project_id, environment, id, deployed_at, recorded_at,
		       deployed_at - first_commit_at, deployed_at - deploy_start_at FROM deployments`,
		events/2, projects, time.Now().AddDate(-1, 0, 0).UnixMilli())
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkScrape compares /metrics, with 1,000 label sets of every instrument,
// to the same series in plain vectors of client_golang.
//
//	go test -run '^$' -bench Scrape ./cmd/em-metrics
func BenchmarkScrape(b *testing.B) {
	const sets = 1000
	b.Run("em-metrics", func(b *testing.B) { scrape(b, ourScrape(b, sets)) })
	b.Run("client_golang", func(b *testing.B) { scrape(b, plainScrape(sets)) })
}

func scrape(b *testing.B, handler http.Handler) {
	b.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var size int64
	for b.Loop() {
		response, err := client.Get(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		if size, err = io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(response.Status, err)
		}
		_ = response.Body.Close()
	}
	b.ReportMetric(float64(size)/1e6, "MB/scrape")
}

// ourScrape returns the /metrics handler of an exporter with the given number of
// label sets.
func ourScrape(b *testing.B, sets int) http.Handler {
	b.Helper()
	store, err := db.Open(context.Background(), filepath.Join(b.TempDir(), "scrape.db"), db.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	e, err := exporter.New(context.Background(), store, exporter.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	for n := range sets {
		key := db.Key{Project: fmt.Sprintf("project-%04d", n), Environment: "production", ID: "1"}
		_, err := store.Do(context.Background(),
			db.StartDeployment{Key: key, FirstCommitAt: at, DeployStartAt: at},
			db.FinishDeployment{Ref: db.Ref{ID: "1", Project: key.Project}, DeployedAt: at.Add(time.Minute)},
			db.OpenIncident{Key: key, DeploymentID: "1", StartedAt: at.Add(2 * time.Minute), FinishedAt: at.Add(time.Hour / 2)})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := e.CatchUp(context.Background()); err != nil {
		b.Fatal(err)
	}
	return e.Handler()
}

// plainScrape returns a handler with the same counters and histograms, with as
// many buckets.
func plainScrape(sets int) http.Handler {
	registry := prometheus.NewRegistry()
	labels := []string{"environment", "project_id"}
	for c := range 6 {
		vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: fmt.Sprintf("counter_%d_total", c), Help: "A counter."}, labels)
		registry.MustRegister(vector)
		for n := range sets {
			vector.WithLabelValues("production", fmt.Sprintf("project-%04d", n)).Inc()
		}
	}
	for h, buckets := range []int{31, 23, 31, 31} {
		vector := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: fmt.Sprintf("histogram_%d_seconds", h), Help: "A histogram.",
			Buckets: prometheus.ExponentialBuckets(1, 1.5, buckets),
		}, labels)
		registry.MustRegister(vector)
		for n := range sets {
			vector.WithLabelValues("production", fmt.Sprintf("project-%04d", n)).Observe(float64(n))
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, Registry: registry})
}
