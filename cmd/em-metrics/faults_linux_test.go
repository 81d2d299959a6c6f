package main

import (
	"fmt"
	"os/exec"
	"strconv"
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
