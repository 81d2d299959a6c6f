package dora

import (
	"errors"
	"fmt"
	"time"
)

// Period is a calendar month or quarter of a time zone.
type Period struct {
	first    time.Time // its first instant, in its time zone
	months   int       // 1 or 3
	location *time.Location
}

// PeriodNames describes what [ParsePeriod] accepts.
const PeriodNames = "a month such as 2026-02, a quarter such as 2026-Q1, this-month, last-month, this-quarter or last-quarter"

// ParsePeriod parses the name of a month or quarter. Names such as this-month depend
// on now.
func ParsePeriod(text string, now time.Time, location *time.Location) (Period, error) {
	year, month, _ := now.In(location).Date()
	quarter := month - (month-1)%3
	switch text {
	case "this-month":
		return newPeriod(year, month, 1, location), nil
	case "last-month":
		return newPeriod(year, month-1, 1, location), nil
	case "this-quarter":
		return newPeriod(year, quarter, 3, location), nil
	case "last-quarter":
		return newPeriod(year, quarter-3, 3, location), nil
	}
	if at, err := time.Parse("2006-01", text); err == nil {
		return newPeriod(at.Year(), at.Month(), 1, location), nil
	}
	var number int
	if _, err := fmt.Sscanf(text, "%4d-Q%1d", &year, &number); err == nil && number >= 1 && number <= 4 &&
		text == fmt.Sprintf("%04d-Q%d", year, number) {
		return newPeriod(year, time.Month(3*number-2), 3, location), nil
	}
	return Period{}, errors.New("is neither a month nor a quarter")
}

// PeriodOf returns the month or quarter that a window shows, whole or until now, and
// false if it shows neither.
func PeriodOf(from, to, now time.Time, location *time.Location) (Period, bool) {
	year, month, _ := from.In(location).Date()
	for _, months := range []int{1, 3} {
		p := newPeriod(year, month, months, location)
		isWhole := to.Equal(p.To())
		isSoFar := to.After(now) && to.Before(p.To())
		if from.Equal(p.From()) && (months == 1 || (month-1)%3 == 0) && (isWhole || isSoFar) {
			return p, true
		}
	}
	return Period{}, false
}

func newPeriod(year int, month time.Month, months int, location *time.Location) Period {
	return Period{midnight(year, month, 1, location), months, location}
}

// From returns the first instant of the period, in UTC.
func (p Period) From() time.Time { return p.first.UTC() }

// To returns the first instant after the period, in UTC.
func (p Period) To() time.Time { return p.next(1).From() }

// Before returns the period of the same length right before.
func (p Period) Before() Period { return p.next(-1) }

// After returns the period of the same length right after.
func (p Period) After() Period { return p.next(1) }

// next returns the n-th period after this one.
func (p Period) next(n int) Period {
	year, month, _ := p.first.Date()
	return newPeriod(year, month+time.Month(n*p.months), p.months, p.location)
}

// String returns the name that [ParsePeriod] accepts, such as 2026-02 or 2026-Q1.
func (p Period) String() string {
	if p.months == 1 {
		return p.first.Format("2006-01")
	}
	return fmt.Sprintf("%04d-Q%d", p.first.Year(), (int(p.first.Month())+2)/3)
}

// Title returns the name for people, such as February 2026 or Q1 2026.
func (p Period) Title() string {
	if p.months == 1 {
		return p.first.Format("January 2006")
	}
	return fmt.Sprintf("Q%d %d", (int(p.first.Month())+2)/3, p.first.Year())
}
