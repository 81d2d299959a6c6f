package main

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// Every event acknowledged before a kill -9 is in the store and in /metrics
// afterwards, once. The others can be sent again without being counted twice.
func TestAcknowledgedEventsSurviveKill(t *testing.T) {
	s, l := programtest.StartService(t), newLedger(t)
	for round := range programtest.Rounds(10, 120) {
		stop := l.startClients(s, 16, fmt.Sprintf("r%d", round))
		l.waitForAcknowledged(200 + 37*(round%10))
		_ = s.Stop(syscall.SIGKILL)
		stop()
		s.Start()
		l.check(s, fmt.Sprintf("after kill %d", round))
	}
	l.report()
	l.sendUnanswered(s)
	l.checkMetrics(s, "after the unanswered requests were sent again")
}

// A kill -9 at any moment of a start, from an empty file through its migrations
// to the first requests, loses nothing and does not prevent the next start.
func TestKillDuringStart(t *testing.T) {
	s, l := programtest.StartService(t), newLedger(t)
	for round := range programtest.Rounds(12, 120) {
		_ = s.Stop(syscall.SIGKILL)
		if round%3 == 0 {
			s.Database, l = filepath.Join(t.TempDir(), "em-metrics.db"), newLedger(t)
		}
		s.Launch()
		killed := make(chan struct{})
		// The moments are spread over the first 100 ms.
		time.AfterFunc(time.Duration(round*37%100)*time.Millisecond, func() {
			defer close(killed)
			s.Signal(syscall.SIGKILL)
		})
		for n := 0; !isClosed(killed); n++ {
			l.sendDeployment(s, fmt.Sprintf("r%d-n%d", round, n))
		}
		_ = s.Wait()
		s.Start()
		l.check(s, fmt.Sprintf("after kill %d", round))
	}
}

// Two services on one file acknowledge events at the same time, and one of them
// is killed again and again. Both show the same totals in the end.
func TestKillOneOfTwoServicesOnOneFile(t *testing.T) {
	survivor, l := programtest.StartService(t), newLedger(t)
	victim := programtest.StartService(t, "SQLITE_DB="+survivor.Database)
	stopSurvivor := l.startClients(survivor, 4, "survivor")
	stopVictim := l.startClients(victim, 4, "victim")
	for round := range programtest.Rounds(3, 10) {
		l.waitForAcknowledged(200)
		_ = victim.Stop(syscall.SIGKILL)
		stopVictim()
		victim.Start()
		stopVictim = l.startClients(victim, 4, fmt.Sprintf("victim-r%d", round))
	}
	l.waitForAcknowledged(100)
	stopSurvivor()
	stopVictim()
	l.check(survivor, "the service that was not killed")
	l.check(victim, "the service that was killed")
	l.report()
	l.sendUnanswered(survivor)
	l.checkMetrics(survivor, "after the unanswered requests were sent again")
	l.checkMetrics(victim, "after the unanswered requests were sent to the other service")
}
