package db

import (
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Code says what kind of thing went wrong, so that a caller can choose an
// answer without reading the message.
type Code int

// The codes of an [Error].
const (
	// Missing means that a field is needed and was not given.
	Missing Code = iota + 1
	// Invalid means that a value was given and cannot be true.
	Invalid
	// NotFound means that nothing is stored under the name given.
	NotFound
	// Conflict means that the command contradicts what is stored.
	Conflict
	// Ambiguous means that more than one stored thing fits the name given.
	Ambiguous
	// Unavailable means that the store cannot do its work now. Nothing was
	// stored, and the same command may succeed later.
	Unavailable
)

// FieldError is what is wrong with one field of a command. Field is the name
// of the column, which is also its name in the API.
type FieldError struct {
	Field   string
	Message string
}

// Error is every failure of the store that a caller can act on. Its message
// and its fields are safe to show to a client; the cause, if any, is not.
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

// HasCode tells whether err is, or wraps, an [Error] with the code.
func HasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

func invalid(field, format string, args ...any) *Error {
	return &Error{
		Code:    Invalid,
		Message: "the dates or references do not fit together",
		Fields:  []FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}},
	}
}

func unavailable(reason string, err error) *Error {
	return &Error{Code: Unavailable, Message: reason, Err: err}
}

// sqliteReason names the failures of SQLite that concern the whole store and
// not one command, by primary result code.
func sqliteReason(code int) (reason string, ok bool) {
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "the database is locked by another process", true
	case sqlite3.SQLITE_FULL:
		return "the disk is full", true
	case sqlite3.SQLITE_IOERR:
		return "the disk cannot be read or written", true
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "the database file is damaged", true
	case sqlite3.SQLITE_CANTOPEN:
		return "the database file cannot be opened", true
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return "the database file is read-only", true
	case sqlite3.SQLITE_NOMEM:
		return "there is not enough memory", true
	}
	return "", false
}

func isBusy(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_BUSY
}

// storeError turns a failure of SQLite that concerns the whole store into an
// Unavailable error, and leaves every other error as it is.
func storeError(err error) error {
	var se *sqlite.Error
	if errors.As(err, &se) {
		if reason, ok := sqliteReason(se.Code()); ok {
			return unavailable(reason, err)
		}
	}
	return err
}
