package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// While many clients ask for figures of a year, scrapes and lists are answered
// in time: with 50,000 deployments, and a million with EM_METRICS_TEST_LONG.
func TestScrapesAndListsBesideFigures(t *testing.T) {
	deployments := 50_000
	if os.Getenv("EM_METRICS_TEST_LONG") != "" {
		deployments = 1_000_000
	}
	path := filepath.Join(t.TempDir(), "busy.db")
	fillStore(t, path, 2*deployments, 100)
	s := programtest.StartService(t, "SQLITE_DB="+path)
	s.Metrics()
	for _, test := range []struct {
		name    string
		clients int
		hours   func(client, round int) int // the window of a badge
		limit   time.Duration
	}{
		{"different badges", 24, func(client, round int) int { return 365*24 - client - round }, 2 * time.Second},
		{"the same badges", 16, func(client, _ int) int { return 365*24 + client%4 }, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asking sync.WaitGroup
			var answers atomic.Int64
			done := make(chan struct{})
			for client := range test.clients {
				asking.Go(func() {
					for round := 0; ; round++ {
						select {
						case <-done:
							return
						default:
						}
						response, _, err := s.Do(t.Context(), http.MethodGet,
							fmt.Sprintf("/badge/change_lead_time.svg?window=%dh", test.hours(client, round)), "")
						if err != nil || response.StatusCode != http.StatusOK {
							t.Errorf("a badge was answered %v: %v", response, err)
							return
						}
						answers.Add(1)
					}
				})
			}
			programtest.Eventually(t, time.Minute, func() error {
				if answers.Load() == 0 {
					return fmt.Errorf("no badge was answered")
				}
				return nil
			})
			for _, request := range []string{"/metrics", "/deployments?limit=100", "/incidents?type=in-progress"} {
				took := medianOf(t, s, request)
				t.Logf("%d deployments, %s: median %s", deployments, request, took)
				if took > test.limit {
					t.Errorf("%s took %s, want at most %s", request, took, test.limit)
				}
			}
			close(done)
			asking.Wait()
			t.Logf("%d badges meanwhile", answers.Load())
		})
	}
}

// medianOf returns the median of how long a few requests take.
func medianOf(t *testing.T, s *programtest.Service, request string) time.Duration {
	t.Helper()
	const rounds = 8
	var took []time.Duration
	for range rounds {
		start := time.Now()
		if response, _, err := s.Do(t.Context(), http.MethodGet, request, ""); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s was answered %v: %v", request, response, err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[rounds/2]
}
