package db

import (
	"slices"
	"time"
)

// bounds cuts the window at every beginning of a day, week or month. There is
// one more bound than there are pieces.
func (i Interval) bounds(from, to time.Time, location *time.Location) []int64 {
	bounds := []int64{millis(from)}
	for at := i.next(from.In(location)); at.Before(to); at = i.next(at) {
		bounds = append(bounds, millis(at))
	}
	return append(bounds, millis(to))
}

// next is the first beginning after the date. It goes by the calendar, not by
// adding hours, because a day can have 23 or 25 of them.
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

// midnight is when a day begins. Where clocks are changed at midnight it does
// not exist, or comes twice: the day then begins with its first moment.
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

// pieceOf finds the piece that a time falls into, -1 when none does.
func pieceOf(bounds []int64, at int64) int {
	last := len(bounds) - 1
	if at < bounds[0] || at >= bounds[last] {
		return -1
	}
	if last == 1 {
		return 0
	}
	i, exact := slices.BinarySearch(bounds, at)
	if exact {
		return i
	}
	return i - 1
}

// calendar numbers the days of a place. It remembers the day it answered
// last, because dates come in order.
type calendar struct {
	location   *time.Location
	begin, end int64
	number     int64
}

func (c *calendar) day(at int64) int64 {
	if at >= c.begin && at < c.end {
		return c.number
	}
	year, month, day := time.UnixMilli(at).In(c.location).Date()
	c.begin = millis(midnight(year, month, day, c.location))
	c.end = millis(midnight(year, month, day+1, c.location))
	c.number = time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / int64((24 * time.Hour).Seconds())
	return c.number
}
