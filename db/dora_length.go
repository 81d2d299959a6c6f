package db

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const maxWindow = 100 * 365 * 24 * time.Hour

// ParseWindow reads the length of a window as people write it: a whole number
// of hours, days or weeks, such as 24h, 30d or 12w. The message of its error
// continues a sentence that names the field.
func ParseWindow(text string) (time.Duration, error) {
	match := regexp.MustCompile(`^([1-9][0-9]{0,6})([hdw])$`).FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("is %s: send a whole number of hours, days or weeks, such as 24h, 30d or 12w", Quote(text))
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		return 0, fmt.Errorf("is %s: %w", Quote(text), err)
	}
	unit := map[string]time.Duration{"h": time.Hour, "d": day, "w": week}[match[2]]
	if time.Duration(n) > maxWindow/unit {
		return 0, fmt.Errorf("is %s: at most 100 years are possible", Quote(text))
	}
	return time.Duration(n) * unit, nil
}

// FormatWindow writes the length of a window, in days where they are whole.
func FormatWindow(length time.Duration) string {
	if length%day == 0 {
		return strconv.FormatInt(int64(length/day), 10) + "d"
	}
	return strconv.FormatInt(int64(length/time.Hour), 10) + "h"
}
