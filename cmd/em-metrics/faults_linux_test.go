package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// inject makes system calls of a running service fail, as described by an inject
// expression of strace, until the returned function is called.
func inject(t *testing.T, s *programtest.Service, expression string) (stop func()) {
	t.Helper()
	tracer := programtest.Start(t, "strace", []string{
		"-f", "-p", strconv.Itoa(s.PID()), "-o", "/dev/null", "-e", "inject=" + expression,
	}, nil)
	tracer.WaitFor("attached")
	return func() { _ = tracer.Stop(syscall.SIGINT) } // strace ends with the signal
}

func requireStrace(t *testing.T) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), "strace", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot be used: %v %s", err, output)
	}
}

// While the disk fails, requests are refused: what is acknowledged is stored, and
// what is refused is not. Afterwards the same process continues.
func TestFailingDisk(t *testing.T) {
	requireStrace(t)
	faults := []string{
		"fdatasync:error=EIO", "pwrite64:error=ENOSPC:when=3+5", "pread64:error=EIO",
		"fdatasync:error=EIO:when=2+3", "fdatasync:error=ENOSPC", "pwrite64:error=EIO", "pwrite64:error=EIO:when=2+3",
		"pwrite64:error=EROFS", "pread64:error=EIO:when=2+3",
	}
	for _, fault := range faults[:programtest.Rounds(3, len(faults))] {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s, l := programtest.StartService(t), newLedger(t)
			// The pages that a second process changes have to be read again.
			second := programtest.StartService(t, "SQLITE_DB="+s.Database)
			for round := range programtest.Rounds(1, 10) {
				stop := l.startClients(s, 8, fmt.Sprintf("r%d", round))
				stopSecond := l.startClients(second, 1, fmt.Sprintf("r%d-second", round))
				l.waitForAcknowledged(50)
				heal := inject(t, s, fault)
				l.waitForRefused(20)
				heal()
				l.waitForAcknowledged(50)
				stop()
				stopSecond()
				l.check(s, "after the fault")
				s.KillAndStart()
				l.check(s, "after a kill")
			}
			l.report()
		})
	}
}

// Sorting much data needs a temporary file. The first version of the schema had
// no index on deployed_at, so a start on such a file has to sort all deployments.
func TestNoFolderForTemporaryFiles(t *testing.T) {
	requireStrace(t)
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	createFirstSchema(t, path, 5_000)
	p := programtest.Start(t, "strace", []string{
		"-f", "-o", "/dev/null", "-P", "/var/tmp", "-P", "/usr/tmp", "-P", "/tmp", "-P", ".",
		"-e", "inject=access,faccessat,faccessat2:error=EACCES", programtest.Binary(t),
	}, []string{"PORT=0", "EM_METRICS_NO_AUTH=true", "SQLITE_DB=" + path})
	if err := p.Wait(); err == nil {
		t.Error("the service ended with exit code 0, want a failure")
	}
	const want = "there is no writable folder for temporary files: set TMPDIR"
	if output := p.Output(); !strings.Contains(output, want) {
		t.Errorf("the service printed %q, want %q", output, want)
	}
	programtest.StartService(t, "SQLITE_DB="+path)
}

// createFirstSchema creates a database as the first version of the schema has it,
// with long names.
func createFirstSchema(t *testing.T, path string, deployments int) {
	t.Helper()
	schema, err := os.ReadFile("../../db/migrations/0001_events.sql")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, statement := range []string{string(schema), fmt.Sprintf(`
		WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)
		INSERT INTO deployments (id, project_id, environment, first_commit_at, began_at, deployed_at, rework, recorded_at)
		SELECT n, printf('%%0256d', 1), printf('%%0256d', 1), n, n, n, 0, n FROM numbers`, deployments), "PRAGMA user_version = 1"} {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}
