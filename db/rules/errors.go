package rules

import (
	"errors"
	"fmt"
	"strings"
)

// Code classifies an [Error], so that a caller can choose an answer without
// reading the message.
type Code int

// The codes of an [Error].
const (
	// Missing means that a required field was not given.
	Missing Code = iota + 1
	// Malformed means that a name breaks the rules for names.
	Malformed
	// Invalid means that the values given are inconsistent with each other, with
	// what is stored or with the time.
	Invalid
	// NotFound means that nothing is stored under the name given.
	NotFound
	// Conflict means that the command contradicts what is stored.
	Conflict
	// Ambiguous means that several stored rows match the name given.
	Ambiguous
	// Unavailable means that the store cannot do its work now, or that its clock
	// went back. Nothing was stored, and the same command may succeed later.
	Unavailable
)

// FieldError describes what is wrong with one field of a command. Field is the
// name of the column, which is also its name in the API.
type FieldError struct {
	Field   string
	Message string
}

// Error is a failure that a caller can act on. Its message and its fields are
// safe to show to a client; the cause, if any, is not.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldError
	// Err is the cause, kept for the log.
	Err error
}

// Error returns the message, the fields and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s %s", f.Field, f.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HasCode reports whether err is, or wraps, an [Error] with the code.
func HasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// required is a field that a new row needs.
type required struct {
	field string
	given bool
}

// requireAll refuses to create a row when one of its required fields is missing.
func requireAll(noun string, fields ...required) error {
	var missing []FieldError
	for _, f := range fields {
		if !f.given {
			missing = append(missing, FieldError{f.field, fmt.Sprintf("is required, because the %s is not recorded yet", noun)})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Error{Code: Missing, Message: "a required field is missing", Fields: missing}
}

func invalid(field, format string, args ...any) *Error {
	return &Error{
		Code:    Invalid,
		Message: "the values are inconsistent",
		Fields:  []FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}},
	}
}

func conflict(noun, field, format string, args ...any) *Error {
	return &Error{
		Code:    Conflict,
		Message: fmt.Sprintf("the %s already exists with different values", noun),
		Fields:  []FieldError{{field, fmt.Sprintf(format, args...)}},
	}
}

const alreadyRecorded = "is already recorded as %s; send the same value or omit the field"

func conflictingDate(noun string, recorded date) *Error {
	return conflict(noun, recorded.field, alreadyRecorded, text(recorded.at))
}

// ExactlyOne returns the one deployment or incident that was found for ref. The
// error is NotFound or Ambiguous when there is not exactly one.
func ExactlyOne[R Row](ref Ref, found []R) (one R, err error) {
	noun := one.noun()
	switch len(found) {
	case 0:
		return one, &Error{
			Code:    NotFound,
			Message: fmt.Sprintf("no such %s", noun),
			Fields:  []FieldError{{"id", fmt.Sprintf("%s does not match any %s%s", Quote(ref.ID), noun, within(ref))}},
		}
	case 1:
		return found[0], nil
	}
	places := make([]string, len(found))
	for i, r := range found {
		places[i] = fmt.Sprintf("project_id %s in environment %s", Quote(r.key().Project), Quote(r.key().Environment))
	}
	return one, &Error{
		Code:    Ambiguous,
		Message: fmt.Sprintf("several %ss have this id", noun),
		Fields:  []FieldError{{ambiguousField(ref), "must be one of: " + strings.Join(places, "; ")}},
	}
}

func within(ref Ref) string {
	var parts string
	if ref.Project != "" {
		parts += " in project_id " + Quote(ref.Project)
	}
	if ref.Environment != "" {
		parts += " in environment " + Quote(ref.Environment)
	}
	return parts
}

func ambiguousField(ref Ref) string {
	if ref.Project == "" {
		return "project_id"
	}
	return "environment"
}
