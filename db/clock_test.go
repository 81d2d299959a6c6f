package db

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dbtest"
)

// A clock that is known to have gone back makes a correct date look like one in
// the future. That is not the client's mistake, whether the service noticed the
// jump itself or finds events in the store that are newer than now.
func TestClockGoesBack(t *testing.T) {
	const (
		jumped = "unavailable: the clock of the service went back by 2h0m0s, to 2026-03-04T10:00:00.000Z, which makes " +
			"deployed_at (2026-03-04T11:55:00.000Z) a date in the future"
		future = "invalid: the values are inconsistent; deployed_at is 2026-03-04T12:05:00.001Z, which is in the future: " +
			"the time is now 2026-03-04T10:00:00.000Z"
		recorded = "known web/prod/1 commit 08:00 start 09:00 deployed 11:55"
	)
	for name, restart := range map[string]bool{"while it runs": false, "before it starts": true} {
		t.Run(name, func(t *testing.T) {
			now := dbtest.NewClock(clock("12:00"))
			path := filepath.Join(t.TempDir(), "em-metrics.db")
			s := openStore(t, path, Options{Now: now.Now})
			if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", "09:00")); err != nil {
				t.Fatal(err)
			}
			now.Set(clock("10:00"))
			if restart {
				s = openStore(t, path, Options{Now: now.Now})
			}
			// An event that is recorded meanwhile does not hide the jump.
			if _, err := s.Do(t.Context(), start("web/prod/2", "08:00", "")); err != nil {
				t.Fatal(err)
			}
			if restart {
				s = openStore(t, path, Options{Now: now.Now})
			}
			before := len(events(t, s))
			for at, want := range map[string]string{"11:55": jumped, "12:05:00.001": future} {
				if got := answer(s.Do(t.Context(), finish(Ref{ID: "1"}, at))); got != want {
					t.Errorf("deployed at %s:\n got %s\nwant %s", at, got, want)
				}
			}
			if n := len(events(t, s)) - before; n != 0 {
				t.Errorf("%d events of refused commands", n)
			}
			if !s.Writable() {
				t.Error("the store says it cannot be written to")
			}
			now.Set(clock("11:50"))
			if got := answer(s.Do(t.Context(), finish(Ref{ID: "1"}, "11:55"))); got != recorded {
				t.Errorf("after the clock was corrected:\n got %s\nwant %s", got, recorded)
			}
		})
	}
}

// Without a jump, a date in the future is the client's mistake.
func TestClockGoesForward(t *testing.T) {
	s, now := newStore(t)
	if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", "09:00")); err != nil {
		t.Fatal(err)
	}
	now.Set(clock("13:00"))
	if _, err := s.Do(t.Context(), finish(Ref{ID: "1"}, "13:05:00.001")); !HasCode(err, Invalid) {
		t.Errorf("got %v", err)
	}
}

// TestClockIsCorrected goes through what the monotonic clock and the clock show.
func TestClockIsCorrected(t *testing.T) {
	c := wallClock{behind: 3 * time.Minute} // at the start
	for _, step := range []struct{ passed, shown, behind time.Duration }{
		{time.Hour, time.Hour, 3 * time.Minute},
		{time.Second, time.Second - time.Hour, 63 * time.Minute}, // set back by an hour
		{time.Minute, time.Minute, 63 * time.Minute},
		{time.Second, time.Second + time.Hour, 3 * time.Minute}, // and forward again
		{time.Minute, time.Hour, 0},                             // and further
		{-time.Minute, -time.Minute, time.Minute},               // without a monotonic clock
	} {
		if c.advance(step.passed, step.shown); c.behind != step.behind {
			t.Errorf("%+v: behind by %s", step, c.behind)
		}
	}
}
