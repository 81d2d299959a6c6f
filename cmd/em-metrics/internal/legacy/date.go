package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// How a date was written, if not as an API would write it.
const (
	inMilliseconds = "was a number of milliseconds since 1970"
	inSeconds      = "was a number of seconds since 1970"
	withoutZone    = "had no time zone and was read as UTC"
)

// legacyLayouts are the forms of a date with a time zone that clients of the
// older service can have sent: it stored any that JavaScript reads.
var legacyLayouts = [...]string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z0700",
	"2006-01-02 15:04:05 Z07:00",
	"Mon Jan _2 15:04:05 2006 -0700",  // git log
	"Mon, _2 Jan 2006 15:04:05 -0700", // mail
	"Mon, _2 Jan 2006 15:04:05 GMT",   // toUTCString
	"Mon Jan _2 2006 15:04:05 GMT-0700",
	time.DateOnly,
}

// legacyLocalLayouts have no time zone. SQLite itself writes the first, in UTC.
var legacyLocalLayouts = [...]string{
	time.DateTime,
	"2006-01-02T15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
}

// legacyDate reads a date as the older service stored it. The remark says how
// it was written if that had to be guessed.
func legacyDate(text string) (at time.Time, remark string, err error) {
	text, _, _ = strings.Cut(strings.TrimSpace(text), " (") // JavaScript adds the name of the zone
	if number, failure := strconv.ParseFloat(text, 64); failure == nil {
		at, remark, err = legacyNumber(number)
	} else {
		at, remark, err = legacyWords(text)
	}
	if err == nil && at.Before(time.Unix(0, 0)) {
		err = fmt.Errorf("%q is before 1970", text)
	}
	return at.UTC(), remark, err
}

// legacyNumber tells seconds from milliseconds by their size: both ranges
// begin in 1973.
func legacyNumber(number float64) (time.Time, string, error) {
	switch {
	case number >= 1e8 && number < 1e11:
		return time.UnixMilli(int64(math.Round(number * 1000))), inSeconds, nil
	case number >= 1e11 && number < 1e14:
		return time.UnixMilli(int64(math.Round(number))), inMilliseconds, nil
	}
	return time.Time{}, "", fmt.Errorf("%v is not a date", number)
}

func legacyWords(text string) (time.Time, string, error) {
	for _, layout := range legacyLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, "", nil
		}
	}
	for _, layout := range legacyLocalLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, withoutZone, nil
		}
	}
	return time.Time{}, "", fmt.Errorf("%.60q is not a date", text)
}
