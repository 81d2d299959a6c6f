package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// A large file is checked while the service runs. Damage that is found then is a
// 503 that says so, wherever a client asks.
func TestDamageFoundWhileServing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.db")
	fillStore(t, path, 160_000, 100)
	s := programtest.StartService(t, "SQLITE_DB="+path)
	s.Metrics() // and saves the totals, so that the next start does not read all events
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	damageQuarter(t, path)
	s.Start()
	const damaged = "the database file is damaged: restore a backup, then restart"
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, "/ready", ""},
		{http.MethodGet, "/metrics", ""},
		{http.MethodGet, "/deployments", ""},
		{http.MethodPost, "/deployments", deployment},
	} {
		programtest.Eventually(t, 20*time.Second, func() error {
			response, body, err := s.Do(t.Context(), request.method, request.path, request.body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, damaged) {
				return fmt.Errorf("%s %s: %s %.300s", request.method, request.path, response.Status, body)
			}
			return nil
		})
	}
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// damageQuarter overwrites pages after the first quarter of the file, where the
// deployments are.
func damageQuarter(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Repeat("noise", 2000)), info.Size()/4)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB", info.Size()>>20)
}
