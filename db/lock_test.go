package db

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const lockedByAnother = "unavailable: the database is locked by another process: "

// lockFile takes the write lock as another process does, until unlock.
func lockFile(t *testing.T, path string) (unlock func()) {
	t.Helper()
	other := visitor(t, path)
	execute(t, other, "BEGIN IMMEDIATE")
	return func() { execute(t, other, "ROLLBACK") }
}

// waitForLock returns when a call waits for the write lock.
func waitForLock(t *testing.T, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); s.Writable(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no call waits for the write lock")
		}
	}
}

// A call waits for its own time only, not for that of the calls before it too.
func TestCallsUnderLockAreRefusedInTime(t *testing.T) {
	const wait = time.Second
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	s := openStore(t, path, Options{BusyTimeout: wait})
	lockFile(t, path)
	var calls sync.WaitGroup
	calls.Go(func() {
		_, err := s.Do(context.Background(), start("web/prod/1", "08:00", ""))
		if got := answer(nil, err); !strings.HasPrefix(got, lockedByAnother) {
			t.Error(got)
		}
	})
	waitForLock(t, s)
	for n := range 3 * maxBatch {
		calls.Go(func() {
			sent := time.Now()
			_, err := s.Do(context.Background(), start(fmt.Sprintf("web/prod/late-%d", n), "08:00", ""))
			if took := time.Since(sent); took < wait || took > wait+wait/2 {
				t.Errorf("a call was answered after %s, want %s", took, wait)
			}
			if got := answer(nil, err); !strings.HasPrefix(got, lockedByAnother) {
				t.Error(got)
			}
		})
	}
	calls.Wait()
	if s.Writable() {
		t.Error("the store says it can be written to")
	}
}

// Once the service is stopping, what waits for a lock is refused at once.
func TestBeginCloseUnderLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	s := openStore(t, path, Options{BusyTimeout: time.Hour})
	unlock := lockFile(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var calls sync.WaitGroup
	for n := range 3 * maxBatch {
		calls.Go(func() {
			_, err := s.Do(ctx, start(fmt.Sprintf("web/prod/%d", n), "08:00", ""))
			if got := answer(nil, err); !strings.HasPrefix(got, "unavailable: the service is stopping") {
				t.Error(got)
			}
		})
	}
	waitForLock(t, s)
	s.BeginClose()
	calls.Wait()
	unlock()
	expectEvents(t, s, nil)
	if outcomes, err := s.Do(t.Context(), start("web/prod/1", "08:00", "")); err != nil || !outcomes[0].Created {
		t.Errorf("after the lock was gone, before Close: %s", answer(outcomes, err))
	}
}

// What waits for its turn, not for a lock, is stored although the service is
// stopping.
func TestBeginCloseWithoutLock(t *testing.T) {
	s, _ := newStore(t)
	release := hold(t, s)
	answers := make([]func() string, 10)
	for n := range answers {
		answers[n] = send(t.Context(), s, start(fmt.Sprintf("web/prod/%d", n), "08:00", ""))
	}
	s.BeginClose()
	release()
	for n, answered := range answers {
		expect(t, answered(), fmt.Sprintf("created web/prod/%d commit 08:00 start 12:00", n))
	}
}
