package dora

import (
	"slices"
	"time"
)

// Interval is the length of the buckets of a series.
type Interval int

// The intervals of a [Query]. Weeks begin on Monday.
const (
	NoInterval Interval = iota
	Daily
	Weekly
	Monthly
)

// bounds splits a window at every beginning of a day, week or month, in Unix
// milliseconds. There is one more bound than there are buckets.
func (i Interval) bounds(from, to time.Time, location *time.Location) []int64 {
	bounds := make([]int64, 0, i.count(from, to, location)+1)
	bounds = append(bounds, from.UnixMilli())
	for at := i.next(from.In(location)); at.Before(to); at = i.next(at) {
		bounds = append(bounds, at.UnixMilli())
	}
	return append(bounds, to.UnixMilli())
}

// IsWhole reports whether a bucket is a whole day, week or month: the first and the
// last one of a window may be cut off.
func (i Interval) IsWhole(b Bucket, location *time.Location) bool {
	return i.next(b.From.Add(-1).In(location)).Equal(b.From) && i.next(b.From.In(location)).Equal(b.To)
}

// count returns how many buckets bounds makes, without making them. Where a place
// left out a day, it may be one more.
func (i Interval) count(from, to time.Time, location *time.Location) int {
	first, last := from.In(location), to.Add(-time.Nanosecond).In(location)
	switch i {
	case Weekly: // day 0 is a Thursday
		return int((dayNumber(last)+3)/7-(dayNumber(first)+3)/7) + 1
	case Monthly:
		return 12*(last.Year()-first.Year()) + int(last.Month()-first.Month()) + 1
	default:
		return int(dayNumber(last)-dayNumber(first)) + 1
	}
}

// dayNumber returns the number of the day of a date. Consecutive days have
// consecutive numbers.
func dayNumber(at time.Time) int64 {
	year, month, day := at.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / int64((24 * time.Hour).Seconds())
}

// next returns the first beginning of an interval after the date. It uses the
// calendar and does not add hours, because a day may have 23 or 25 of them.
func (i Interval) next(at time.Time) time.Time {
	year, month, day := at.Date()
	switch i {
	case Weekly:
		day += 7 - (int(at.Weekday())+6)%7
	case Monthly:
		month, day = month+1, 1
	default:
		day++
	}
	return midnight(year, month, day, at.Location())
}

// midnight returns the beginning of a day. Where clocks change at midnight, it
// may not exist or occur twice: the day then begins with its first instant.
func midnight(year int, month time.Month, day int, location *time.Location) time.Time {
	at := time.Date(year, month, day, 0, 0, 0, 0, location)
	switch wanted := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Day(); {
	case at.Day() != wanted:
		_, at = at.ZoneBounds()
	case at.Add(-time.Hour).Day() == wanted:
		at = at.Add(-time.Hour)
	}
	return at
}

// bucketAt returns the index of the bucket that contains a time, -1 if none
// does.
func bucketAt(bounds []int64, at int64) int {
	last := len(bounds) - 1
	if last < 1 || at < bounds[0] || at >= bounds[last] {
		return -1
	}
	i, exact := slices.BinarySearch(bounds, at)
	if exact {
		return i
	}
	return i - 1
}

// calendar numbers the days of a time zone. It caches the latest day, because
// deployments are read in the order of their dates.
type calendar struct {
	location   *time.Location
	begin, end int64 // of the latest day, in Unix milliseconds
	number     int64
}

// day returns the number of the day that contains a time in Unix milliseconds.
func (c *calendar) day(at int64) int64 {
	if at >= c.begin && at < c.end {
		return c.number
	}
	date := time.UnixMilli(at).In(c.location)
	year, month, day := date.Date()
	c.begin = midnight(year, month, day, c.location).UnixMilli()
	c.end = midnight(year, month, day+1, c.location).UnixMilli()
	c.number = dayNumber(date)
	return c.number
}
