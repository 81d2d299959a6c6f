package db

import (
	"fmt"
	"time"
)

// need is a field that must be given, and whether it is.
type need struct {
	field string
	given bool
}

// require refuses to record something of which a field is missing.
func require(thing string, fields ...need) error {
	var absent []FieldError
	for _, f := range fields {
		if !f.given {
			absent = append(absent, FieldError{f.field, fmt.Sprintf("is required, because the %s is not known yet", thing)})
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return &Error{Code: Missing, Message: "a required field is missing", Fields: absent}
}

// date is a point in time under the name a client knows it by.
type date struct {
	field string
	at    time.Time
}

// inOrder checks that no date is absurd or in the future, and that each is not
// before any of those ahead of it, as far as clocks agree. Zero dates are
// unknown and fit anywhere.
func inOrder(now time.Time, dates ...date) error {
	for i, later := range dates {
		if later.at.IsZero() {
			continue
		}
		if later.at.Before(time.Unix(0, 0)) {
			return invalid(later.field, "is %s: a date before 1970 cannot be right", text(later.at))
		}
		if later.at.After(now.Add(ClockTolerance)) {
			return invalid(later.field, "is %s, which is in the future: it is %s now", text(later.at), text(now))
		}
		for _, earlier := range dates[:i] {
			if earlier.at.After(later.at.Add(ClockTolerance)) {
				return outOfOrder(earlier, later)
			}
		}
	}
	return nil
}

func outOfOrder(earlier, later date) error {
	return &Error{
		Code:    Invalid,
		Message: "the dates are not in order",
		Fields: []FieldError{
			{later.field, fmt.Sprintf("is %s: it must not be before %s, which is %s",
				text(later.at), earlier.field, text(earlier.at))},
			{earlier.field, fmt.Sprintf("is %s: it must not be after %s", text(earlier.at), later.field)},
		},
	}
}

// contradicts tells whether a value given differs from the one recorded.
func contradicts(given, recorded time.Time) bool {
	return !given.IsZero() && !recorded.IsZero() && !given.Equal(recorded)
}

func conflict(thing, field, format string, args ...any) *Error {
	return &Error{
		Code:    Conflict,
		Message: fmt.Sprintf("the %s is recorded already and says otherwise", thing),
		Fields:  []FieldError{{field, fmt.Sprintf(format, args...)}},
	}
}

func otherDate(thing string, recorded date) *Error {
	return conflict(thing, recorded.field, "is recorded as %s: send that, or leave it out", text(recorded.at))
}

func text(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// precise cuts a date down to what is stored, so that a date read back equals
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

// fillTeam asks for the team when it is not known yet.
func fillTeam(team *string, ask TeamFunc, project string) (filled bool) {
	if *team != "" || ask == nil {
		return false
	}
	*team = ask(project)
	return *team != ""
}
