package rules

import (
	"fmt"
	"time"
)

// date is a point in time with the name of its field.
type date struct {
	field string
	at    time.Time
}

// checkOrder checks that no date is before 1970 or in the future, and that none
// is before an earlier one in the list, within [ClockTolerance]. Zero dates are
// unknown and fit anywhere.
func (s *State) checkOrder(dates ...date) error {
	for i, later := range dates {
		if later.at.IsZero() {
			continue
		}
		if later.at.Before(time.Unix(0, 0)) {
			return invalid(later.field, "is %s; dates before 1970 are not accepted", text(later.at))
		}
		if err := s.checkFuture(later); err != nil {
			return err
		}
		for _, earlier := range dates[:i] {
			if earlier.at.After(later.at.Add(ClockTolerance)) {
				return outOfOrder(earlier, later)
			}
		}
	}
	return nil
}

// checkFuture checks that a date is not in the future. One that would not be if
// the clock had not gone back may be right: it is not the client's mistake.
func (s *State) checkFuture(d date) error {
	latest := s.now.Add(ClockTolerance)
	switch {
	case !d.at.After(latest):
		return nil
	case !d.at.After(latest.Add(s.clockBehind)):
		return &Error{Code: Unavailable, Message: fmt.Sprintf("the clock of the service went back by %s, to %s, which makes %s (%s) a date in the future",
			s.clockBehind.Round(time.Millisecond), text(s.now), d.field, text(d.at))}
	}
	return invalid(d.field, "is %s, which is in the future: the time is now %s", text(d.at), text(s.now))
}

func outOfOrder(earlier, later date) error {
	return &Error{
		Code:    Invalid,
		Message: "the dates are out of order",
		Fields: []FieldError{
			{later.field, fmt.Sprintf("is %s, which must not be before %s (%s)", text(later.at), earlier.field, text(earlier.at))},
			{earlier.field, fmt.Sprintf("is %s, which must not be after %s", text(earlier.at), later.field)},
		},
	}
}

// contradicts reports whether a given date differs from the recorded one.
func contradicts(given, recorded time.Time) bool {
	return !given.IsZero() && !recorded.IsZero() && !given.Equal(recorded)
}

func text(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// precise truncates a date to what is stored, so that a date read back equals
// the one that was sent.
func precise(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}

func firstKnown(dates ...time.Time) time.Time {
	for _, d := range dates {
		if !d.IsZero() {
			return d
		}
	}
	return time.Time{}
}

// Elapsed is the measured time between two dates. Clocks that disagree make it
// zero, never negative; it is unknown when one of the dates is.
func Elapsed(from, to time.Time) NullDuration {
	if from.IsZero() || to.IsZero() {
		return NullDuration{}
	}
	return NullDuration{V: max(0, to.Sub(from)), Valid: true}
}
