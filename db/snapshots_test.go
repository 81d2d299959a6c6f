package db

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dbtest"
)

// snapshotStore returns a store with three events, its epoch and its events.
func snapshotStore(t *testing.T, o Options) (s *Store, epoch string, stored []Event) {
	t.Helper()
	s = openStore(t, filepath.Join(t.TempDir(), "em-metrics.db"), o)
	for n := range 3 {
		if _, err := s.Do(t.Context(), start(fmt.Sprintf("web/prod/%d", n), "08:00", "09:00")); err != nil {
			t.Fatal(err)
		}
	}
	return s, epochOf(t, s), events(t, s)
}

func epochOf(t *testing.T, s *Store) string {
	t.Helper()
	epoch, err := s.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func loaded(t *testing.T, s *Store, layout, epoch string) string {
	t.Helper()
	content, err := s.LoadSnapshot(t.Context(), layout, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func save(t *testing.T, s *Store, sn Snapshot) {
	t.Helper()
	if err := s.SaveSnapshot(t.Context(), sn); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotsOfLayoutsAndEpochs(t *testing.T) {
	s, epoch, stored := snapshotStore(t, Options{})
	expect(t, loaded(t, s, "one", epoch), "")
	save(t, s, Snapshot{"one", epoch, stored[2], []byte("three of one")})
	save(t, s, Snapshot{"one", epoch, stored[1], []byte("two of one")}) // by a slower process
	save(t, s, Snapshot{"two", epoch, stored[0], []byte("one of two")})
	expect(t, loaded(t, s, "one", epoch), "three of one")
	expect(t, loaded(t, s, "two", epoch), "one of two")
	expect(t, loaded(t, s, "three", epoch), "")
	expect(t, loaded(t, s, "one", "another epoch"), "")
	if seq, err := s.SnapshotSeq(t.Context(), "one", epoch); seq != stored[2].Seq || err != nil {
		t.Error(seq, err)
	}
}

// However large it is, a snapshot is written in small parts and comes back whole.
func TestSnapshotInParts(t *testing.T) {
	s, epoch, stored := snapshotStore(t, Options{})
	for _, size := range []int{0, 1, snapshotPart - 1, snapshotPart, snapshotPart + 1, 5*snapshotPart + 7} {
		content := bytes.Repeat([]byte{byte(size), 1, 2}, size/3+1)[:size]
		save(t, s, Snapshot{"layout", epoch, stored[2], content})
		if got := loaded(t, s, "layout", epoch); got != string(content) {
			t.Errorf("%d of %d bytes, or others", len(got), size)
		}
	}
	other := visitor(t, s.Path())
	expect(t, lines(t, other, "SELECT count(*), max(length(content)) FROM snapshots"), fmt.Sprintln(6, snapshotPart))
	execute(t, other, "DELETE FROM snapshots WHERE part = 3") // as if the process had ended in between
	expect(t, loaded(t, s, "layout", epoch), "")
}

// A snapshot of events that the store does not hold is refused: it was restored
// meanwhile.
func TestSnapshotOfAnotherHistory(t *testing.T) {
	s, epoch, stored := snapshotStore(t, Options{})
	missing, changed := stored[2], stored[2]
	missing.Seq = 4
	changed.RecordedAt = changed.RecordedAt.Add(time.Millisecond)
	for _, sn := range []Snapshot{
		{"layout", epoch, missing, []byte("a missing event")},
		{"layout", epoch, changed, []byte("another event")},
		{"layout", "another epoch", stored[2], []byte("another epoch")},
	} {
		if err := s.SaveSnapshot(t.Context(), sn); !errors.Is(err, ErrOtherHistory) {
			t.Errorf("%s: %v", sn.Content, err)
		}
	}
	expect(t, lines(t, visitor(t, s.Path()), "SELECT count(*) FROM snapshots"), "0\n")
}

// Snapshots of another layout are kept for a while, for a process of another
// version.
func TestOldSnapshotsAreRemoved(t *testing.T) {
	now := dbtest.NewClock(clock("10:00"))
	s, epoch, stored := snapshotStore(t, Options{Now: now.Now})
	save(t, s, Snapshot{"old", epoch, stored[2], []byte("old")})
	now.Advance(snapshotLife)
	save(t, s, Snapshot{"new", epoch, stored[0], []byte("new")})
	expect(t, loaded(t, s, "old", epoch), "old")
	now.Advance(time.Second)
	save(t, s, Snapshot{"new", epoch, stored[1], []byte("newer")})
	expect(t, loaded(t, s, "old", epoch), "")
	expect(t, loaded(t, s, "new", epoch), "newer")
}

func TestEpoch(t *testing.T) {
	s, epoch, stored := snapshotStore(t, Options{})
	if _, other, _ := snapshotStore(t, Options{}); epoch == "" || other == epoch {
		t.Errorf("the epochs of two stores are %q and %q", epoch, other)
	}
	expect(t, epochOf(t, openStore(t, s.Path(), Options{})), epoch) // of another process
	holds := func(epoch string, e Event) string {
		held, err := s.Holds(t.Context(), epoch, e)
		return fmt.Sprint(held, err)
	}
	expect(t, holds(epoch, stored[2]), "true <nil>")
	expect(t, holds("another", stored[2]), "false <nil>")
	if err := s.RenewEpoch(t.Context(), epoch); err != nil {
		t.Fatal(err)
	}
	renewed := epochOf(t, s)
	expect(t, holds(epoch, stored[2]), "false <nil>")
	expect(t, holds(renewed, stored[2]), "true <nil>")
	if err := s.RenewEpoch(t.Context(), epoch); err != nil { // by another process that noticed it too
		t.Fatal(err)
	}
	expect(t, epochOf(t, s), renewed)
}

// While another process has the lock, a snapshot fails and is not waited for.
func TestSnapshotUnderLock(t *testing.T) {
	s, epoch, stored := snapshotStore(t, Options{})
	other := visitor(t, s.Path())
	execute(t, other, "BEGIN IMMEDIATE")
	err := s.SaveSnapshot(t.Context(), Snapshot{"layout", epoch, stored[2], []byte("content")})
	if !HasCode(err, Unavailable) {
		t.Error(err)
	}
	execute(t, other, "ROLLBACK")
	save(t, s, Snapshot{"layout", epoch, stored[2], []byte("content")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveSnapshot(t.Context(), Snapshot{"layout", epoch, stored[2], []byte("content")}); !HasCode(err, Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}
