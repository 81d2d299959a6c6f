package legacy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// MissingLogError means that the write-ahead log of a database is missing. The
// older service left its newest rows there when it was stopped.
type MissingLogError struct{ Path string }

// Error names the missing file.
func (e *MissingLogError) Error() string {
	return fmt.Sprintf("%s-wal is missing or empty: the older service leaves its newest rows in that file when it is stopped", e.Path)
}

// missesLog reports whether the database at path is in the mode in which SQLite
// writes to a log first, and there is no log beside it. A database that was closed
// in order has none either; the files do not tell the two apart.
func missesLog(path string) (bool, error) {
	file, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return false, err
	}
	// The file format has the version for reading at byte 19; 2 means a log.
	var header [20]byte
	_, err = io.ReadFull(file, header[:])
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return false, nil // no database, as SQLite will say
	case err != nil:
		return false, err
	case string(header[:16]) != "SQLite format 3\x00" || header[19] != 2:
		return false, nil
	}
	log, err := os.Stat(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && log.Size() == 0, err
}
