package legacy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The remarks on a date that is not in a form of the API.
const (
	inMilliseconds  = "was a number of milliseconds since 1970"
	inSeconds       = "was a number of seconds since 1970"
	withoutTimeZone = "had no time zone and was read as UTC"
)

// layouts are the formats with a time zone in which clients of the older service
// may have sent a date: it stored any that JavaScript reads.
var layouts = [...]string{
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

// localLayouts are the formats without a time zone. SQLite itself writes the
// first, in UTC.
var localLayouts = [...]string{
	time.DateTime,
	"2006-01-02T15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
}

// parseDate reads a date as the older service stored it. Empty text is the zero
// time. The remark explains how a date was read whose form is ambiguous.
func parseDate(text string) (at time.Time, remark string, err error) {
	text, _, _ = strings.Cut(strings.TrimSpace(text), " (") // JavaScript adds the name of the zone
	if text == "" {
		return time.Time{}, "", nil
	}
	if number, parseErr := strconv.ParseFloat(text, 64); parseErr == nil {
		at, remark, err = parseNumber(number)
	} else {
		at, remark, err = parseText(text)
	}
	if err == nil && at.Before(time.Unix(0, 0)) {
		err = fmt.Errorf("%q is before 1970", text)
	}
	if err != nil {
		return time.Time{}, "", err
	}
	return at.UTC(), remark, nil
}

// parseNumber distinguishes seconds and milliseconds by their size: both ranges
// begin in 1973.
func parseNumber(number float64) (time.Time, string, error) {
	switch {
	case number >= 1e8 && number < 1e11:
		return time.UnixMilli(int64(math.Round(number * 1000))), inSeconds, nil
	case number >= 1e11 && number < 1e14:
		return time.UnixMilli(int64(math.Round(number))), inMilliseconds, nil
	}
	return time.Time{}, "", fmt.Errorf("%v is not a date", number)
}

func parseText(text string) (time.Time, string, error) {
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, "", nil
		}
	}
	for _, layout := range localLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, withoutTimeZone, nil
		}
	}
	return time.Time{}, "", fmt.Errorf("%.60q is not a date", text)
}
