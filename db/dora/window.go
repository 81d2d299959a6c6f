package dora

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const (
	day   = 24 * time.Hour
	week  = 7 * day
	month = 365 * day / 12

	maxWindow = 100 * 365 * day
)

var windowSyntax = regexp.MustCompile(`^([1-9][0-9]{0,6})([hdw])$`)

// ParseWindow parses the length of a window: a whole number of hours, days or
// weeks, such as 24h, 30d or 12w. The message of its error continues a
// sentence that begins with the name of the field.
func ParseWindow(text string) (time.Duration, error) {
	match := windowSyntax.FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("is %.15q: send a whole number of hours, days or weeks, such as 24h, 30d or 12w", text)
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		return 0, fmt.Errorf("is %.15q: %w", text, err)
	}
	unit := map[string]time.Duration{"h": time.Hour, "d": day, "w": week}[match[2]]
	if time.Duration(n) > maxWindow/unit {
		return 0, fmt.Errorf("is %.15q: at most 100 years are possible", text)
	}
	return time.Duration(n) * unit, nil
}

// FormatWindow formats the length of a window so that [ParseWindow] can parse
// it: in days if it is a whole number of them, else in hours.
func FormatWindow(length time.Duration) string {
	if length%day == 0 {
		return strconv.FormatInt(int64(length/day), 10) + "d"
	}
	return strconv.FormatInt(int64(length/time.Hour), 10) + "h"
}
