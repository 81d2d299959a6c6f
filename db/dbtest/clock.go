// Package dbtest provides the clock of tests that open a store.
package dbtest

import (
	"strings"
	"sync/atomic"
	"time"
)

// Clock is a clock that stands still until a test changes it. Like the store, it
// has a precision of a millisecond. It is safe for concurrent use.
type Clock struct{ ms atomic.Int64 }

// NewClock returns a clock that shows the given time.
func NewClock(at time.Time) *Clock {
	c := &Clock{}
	c.Set(at)
	return c
}

// Now returns the time that the clock shows, in UTC.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.ms.Load()).UTC() }

// Set makes the clock show the given time, which may be earlier than before.
func (c *Clock) Set(at time.Time) { c.ms.Store(at.UnixMilli()) }

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// At returns a time on 4 March 2026, the day on which test cases take place. It
// panics unless the time of day is like "10:00" or "10:00:00.5".
func At(timeOfDay string) time.Time {
	if strings.Count(timeOfDay, ":") == 1 {
		timeOfDay += ":00"
	}
	at, err := time.Parse("2006-01-02 15:04:05", "2026-03-04 "+timeOfDay)
	if err != nil {
		panic(err)
	}
	return at
}
