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
	const clients, rounds, limit = 24, 8, 2 * time.Second
	path := filepath.Join(t.TempDir(), "busy.db")
	fillStore(t, path, 2*deployments, 100)
	s := programtest.StartService(t, "SQLITE_DB="+path)
	s.Metrics()

	var asking sync.WaitGroup
	var answers atomic.Int64
	done := make(chan struct{})
	for n := range clients {
		asking.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-done:
					return
				default:
				}
				response, _, err := s.Do(t.Context(), http.MethodGet,
					fmt.Sprintf("/badge/change_lead_time.svg?window=%dh", 365*24-n-round), "")
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
		var took []time.Duration
		for range rounds {
			start := time.Now()
			if response, _, err := s.Do(t.Context(), http.MethodGet, request, ""); err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("%s was answered %v: %v", request, response, err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		t.Logf("%d deployments, %s: median %s, slowest %s", deployments, request, took[rounds/2], took[rounds-1])
		if median := took[rounds/2]; median > limit {
			t.Errorf("%s took %s, want at most %s", request, median, limit)
		}
	}
	close(done)
	asking.Wait()
	t.Logf("%d badges meanwhile", answers.Load())
}
