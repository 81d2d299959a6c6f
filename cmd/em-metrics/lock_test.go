package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// lockDatabase takes the write lock of the service's database, as a forgotten
// transaction of another program does.
func lockDatabase(t *testing.T, path string) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	pool.SetMaxOpenConns(1)
	if _, err := pool.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
}

// postWithNotice sends a deployment and calls reading when the service has begun
// to read it.
func postWithNotice(t *testing.T, s *programtest.Service, client *http.Client, number int, reading func()) (*http.Response, error) {
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: reading})
	body := fmt.Sprintf(`{"id": "%d", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`, number)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL("/deployments"), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+programtest.Token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Expect", "100-continue")
	response, err := client.Do(request)
	if err == nil {
		err = response.Body.Close()
	}
	return response, err
}

// However many requests wait for a lock that another program holds, the service
// stops in time and answers each of them.
func TestStopUnderLock(t *testing.T) {
	const requests, limit = 600, 4 * time.Second
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	s := programtest.StartService(t, "SQLITE_DB="+path, "EM_METRICS_SHUTDOWN_TIMEOUT="+limit.String())
	lockDatabase(t, path)
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	var sent sync.WaitGroup
	var reading atomic.Int64
	for n := range requests {
		sent.Go(func() {
			response, err := postWithNotice(t, s, client, n, func() { reading.Add(1) })
			if err != nil {
				t.Error(err)
			} else if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
				t.Errorf("answered %s, want 503 with Retry-After", response.Status)
			}
		})
	}
	programtest.Eventually(t, time.Minute, func() error {
		if n := reading.Load(); n < requests {
			return fmt.Errorf("the service reads %d of %d requests", n, requests)
		}
		return nil
	})
	start := time.Now()
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Errorf("the service ended with %v, want exit code 0", err)
	}
	took := time.Since(start)
	t.Logf("stopped after %s", took)
	if took > limit {
		t.Errorf("the service stopped after %s, want at most %s", took, limit)
	}
	sent.Wait()
}
