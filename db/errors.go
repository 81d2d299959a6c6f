package db

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func unavailable(reason string, err error) *Error {
	return &Error{Code: Unavailable, Message: reason, Err: err}
}

// sqliteReason describes the failures of SQLite that concern the whole store and
// not one command, by result code.
func sqliteReason(code int) (reason string, ok bool) {
	if code == sqlite3.SQLITE_IOERR_GETTEMPPATH {
		return "there is no writable folder for temporary files: set TMPDIR, or start in a writable folder", true
	}
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
// Unavailable error, and returns every other error unchanged.
func storeError(err error) error {
	var se *sqlite.Error
	if errors.As(err, &se) {
		if reason, ok := sqliteReason(se.Code()); ok {
			return unavailable(reason, err)
		}
	}
	return err
}
