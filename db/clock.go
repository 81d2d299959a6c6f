package db

import (
	"context"
	"fmt"
	"time"
)

// wallClock reads the time and notices when it goes back. It is not safe for
// concurrent use.
type wallClock struct {
	now    func() time.Time
	last   time.Time     // the last reading
	behind time.Duration // how far the clock is known to be behind
}

// read returns the time and how far behind the clock is known to be.
func (c *wallClock) read() (now time.Time, behind time.Duration) {
	now = c.now()
	// Sub compares the monotonic clocks, if both times have one; Round(0) removes it.
	c.advance(now.Sub(c.last), now.Round(0).Sub(c.last.Round(0)))
	c.last = now
	return now, c.behind
}

// advance compares the time that passed with the time by which the clock advanced
// meanwhile. One that was set forward is no longer as far behind.
func (c *wallClock) advance(passed, shown time.Duration) {
	c.behind = max(0, c.behind+max(0, passed)-shown)
}

// openClock returns a clock that knows when the newest events were recorded,
// from before this process started.
func (s *Store) openClock(ctx context.Context) (*wallClock, error) {
	newest, err := query(ctx, s.readers.lists, scanNumber,
		"SELECT coalesce(max(recorded_at), 0) FROM (SELECT recorded_at FROM events ORDER BY seq DESC LIMIT 1000)")
	if err != nil {
		return nil, fmt.Errorf("read when the newest events were recorded: %w", err)
	}
	now := s.now()
	return &wallClock{now: s.now, last: now, behind: max(0, fromMillis(newest[0]).Sub(now))}, nil
}
