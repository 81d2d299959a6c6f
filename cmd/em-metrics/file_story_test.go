package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
	"github.com/em-metrics/em-metrics/db"
)

const (
	inBackup    = 3000 // deployments in the backup that the tests restore
	afterBackup = 200  // deployments recorded since and copied from the log into the file
	inLog       = 30   // deployments recorded since, only in the log
)

// fileStory is one or two services on one database file that something happens
// to.
type fileStory struct {
	t            *testing.T
	path         string
	services     []*programtest.Service
	acknowledged []string // ids of deployments
}

func newFileStory(t *testing.T, services int) *fileStory {
	t.Helper()
	s := &fileStory{t: t, path: filepath.Join(t.TempDir(), "em-metrics.db")}
	for range services {
		s.services = append(s.services, programtest.StartService(t, "SQLITE_DB="+s.path))
	}
	return s
}

// newRestoreStory begins with a file that a backup was taken of and that more
// has been recorded in since.
func newRestoreStory(t *testing.T, services int) (s *fileStory, backup string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.db")
	store, err := db.Open(t.Context(), path, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var commands []db.Command
	for n := range inBackup {
		commands = append(commands, db.StartDeployment{Key: db.Key{
			ID: fmt.Sprintf("backup-%d", n), Project: "shop", Environment: "NO_ENV",
		}, FirstCommitAt: time.Now().Add(-time.Hour)})
	}
	if _, err := store.Do(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	s = &fileStory{t: t, path: filepath.Join(t.TempDir(), "em-metrics.db")}
	s.copyFile(path, s.path)
	for range services {
		s.services = append(s.services, programtest.StartService(t, "SQLITE_DB="+s.path))
	}
	s.mustRecord(afterBackup)
	execute(t, s.path, "PRAGMA wal_checkpoint(TRUNCATE)")
	s.mustRecord(inLog)
	return s, path
}

func (s *fileStory) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *fileStory) copyFile(from, to string) {
	s.t.Helper()
	content, err := os.ReadFile(from)
	s.do(err)
	s.do(os.WriteFile(to, content, 0o600))
}

// startDeployment is the body that records one.
func startDeployment(id string) string {
	return fmt.Sprintf(`{"id": %q, "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`, id)
}

// record sends deployments to the services in turn and returns how many were
// acknowledged. Any other answer than 503 is a failure.
func (s *fileStory) record(deployments int) (acknowledged int) {
	s.t.Helper()
	for n := range deployments {
		id := fmt.Sprintf("%d-%d", len(s.acknowledged), n)
		response, content, err := s.services[n%len(s.services)].Do(s.t.Context(), http.MethodPost, "/deployments", startDeployment(id))
		switch {
		case err == nil && response.StatusCode == http.StatusCreated:
			s.acknowledged = append(s.acknowledged, id)
			acknowledged++
		case err != nil || response.StatusCode != http.StatusServiceUnavailable:
			s.t.Fatalf("POST /deployments: %s %v", content, err)
		}
	}
	return acknowledged
}

func (s *fileStory) mustRecord(deployments int) {
	s.t.Helper()
	if got := s.record(deployments); got != deployments {
		s.t.Fatalf("%d of %d deployments were recorded", got, deployments)
	}
}

// expectUnavailable checks that every service refuses to record, and says why.
func (s *fileStory) expectUnavailable(reason string) {
	s.t.Helper()
	if got := s.record(len(s.services)); got != 0 {
		s.t.Errorf("%d deployments were acknowledged", got)
	}
	for _, service := range s.services {
		// The answer of /ready may be a second old.
		programtest.Eventually(s.t, 10*time.Second, func() error {
			response, body, err := service.Do(s.t.Context(), http.MethodGet, "/ready", "")
			if err != nil || response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, reason) {
				return fmt.Errorf("GET /ready: %s %w, want 503 and %q", body, err, reason)
			}
			return nil
		})
	}
}

// end ends every service.
func (s *fileStory) end(signal syscall.Signal) {
	for _, service := range s.services {
		_ = service.Stop(signal) // killed, its exit code is not 0
	}
}

// expectStart starts one service on the file and checks that it has exactly
// the deployments that were acknowledged and those of the backup that are
// expected.
func (s *fileStory) expectStart(fromBackup int) {
	s.t.Helper()
	stored, want := s.startAndCount(), fromBackup+len(s.acknowledged)
	if stored != want {
		s.t.Errorf("%d deployments are stored, want %d", stored, want)
	}
}

// startAndCount starts one service on the file, checks that the file is sound
// and has what was acknowledged, and returns how many deployments it has.
func (s *fileStory) startAndCount() int {
	s.t.Helper()
	s.services = s.services[:1]
	s.services[0].Start()
	pool, err := sql.Open("sqlite", "file:"+s.path+"?mode=ro")
	s.do(err)
	defer pool.Close()
	var integrity string
	if err := pool.QueryRow("PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		s.t.Fatalf("the file is not sound: %s %v", integrity, err)
	}
	rows, err := pool.Query("SELECT id FROM deployments")
	s.do(err)
	defer rows.Close()
	stored := map[string]bool{}
	for rows.Next() {
		var id string
		s.do(rows.Scan(&id))
		stored[id] = true
	}
	s.do(rows.Err())
	for _, id := range s.acknowledged {
		if !stored[id] {
			s.t.Errorf("%s was acknowledged and is not stored", id)
		}
	}
	if got := s.services[0].Metrics()[`deployment_started_total{environment="NO_ENV", project_id="shop"}`]; got != float64(len(stored)) {
		s.t.Errorf("/metrics counts %v deployments, and %d are stored", got, len(stored))
	}
	return len(stored)
}

// expectRefusal checks that a service does not start on the file.
func (s *fileStory) expectRefusal(reason string) {
	s.t.Helper()
	p := programtest.Start(s.t, programtest.Binary(s.t), nil, []string{
		"HOST=127.0.0.1", "PORT=0", "SQLITE_DB=" + s.path, "EM_METRICS_TOKEN_AUTH=" + programtest.Token,
	})
	if err := p.Wait(); err == nil || !strings.Contains(p.Output(), reason) {
		s.t.Errorf("the service was to refuse the file with %q: %v\n%s", reason, err, p.Output())
	}
}

// eachEnd runs a story with each way of ending the services, with one service
// and with two: all combinations with EM_METRICS_TEST_LONG, else half of them.
func eachEnd(t *testing.T, story func(t *testing.T, services int, end syscall.Signal)) {
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for services := 1; services <= 2; services++ {
			if (services == 1) != (end == syscall.SIGTERM) && os.Getenv("EM_METRICS_TEST_LONG") == "" {
				continue
			}
			t.Run(fmt.Sprintf("%d services, %s", services, end), func(t *testing.T) {
				t.Parallel()
				story(t, services, end)
			})
		}
	}
}

// execute runs a statement as the sqlite3 shell does.
func execute(t *testing.T, path, statement string) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
