package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fileCheckInterval is how often the writer looks at the files while it has
// nothing to write.
const fileCheckInterval = time.Second

// The files that SQLite keeps beside a database in WAL mode: the write-ahead
// log, and an index of it that all processes share.
const (
	logSuffix   = "-wal"
	indexSuffix = "-shm"
)

// file identifies the three files of an open database. SQLite continues to use
// what it opened, whatever happens to the names: commits into a file that has
// lost its name succeed and vanish with the process, and a log that stays
// behind is replayed into the next file of that name. Files are only looked at
// and renamed, never opened. The writer's goroutine alone uses it once the
// store is open.
type file struct {
	path string // as configured, maybe a symbolic link
	real string // what SQLite derives the names of log and index from

	main, log, index fs.FileInfo // as seen last, the identity never changes

	aside  string // what follows the names of log and index while they are moved aside
	broken error  // why the file can never be written again by this process
}

func newFile(path string) *file {
	f := &file{path: path, real: path}
	f.resolve()
	return f
}

// resolve follows symbolic links as far as the file exists.
func (f *file) resolve() {
	if target, err := filepath.EvalSymlinks(f.path); err == nil {
		f.real = target
	}
}

// checkMissing refuses to create a database where only the log or the index of
// another is left: SQLite would delete that log and begin an empty store.
func (f *file) checkMissing() error {
	for _, suffix := range []string{logSuffix, indexSuffix} {
		// The database exists before its log does, so it is looked for last.
		if _, err := os.Stat(f.real + suffix); err != nil {
			continue
		}
		if info, err := os.Stat(f.real); errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() == 0) {
			return fmt.Errorf("the database file is missing or empty, but %s exists: restore the file, or remove %s* to begin with an empty store",
				f.real+suffix, filepath.Base(f.real)+"-")
		}
	}
	return nil
}

// identify records which files the connection for writing has open.
func (f *file) identify() (err error) {
	if f.main, err = os.Stat(f.path); err == nil {
		if f.log, err = os.Stat(f.real + logSuffix); err == nil {
			f.index, err = os.Stat(f.real + indexSuffix)
		}
	}
	return err
}

// size returns the bytes of the database and its log.
func (f *file) size() (int64, error) {
	var size int64
	for _, name := range []string{f.real, f.real + logSuffix} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("size of the store: %w", err)
		}
		size += info.Size()
	}
	return size, nil
}

// Size returns how many bytes the database and its write-ahead log take.
func (s *Store) Size() (int64, error) { return s.file.size() }

// moveAside renames those of the files beside the database that this process
// opened, unless the database they belong to is where it was. Files of another
// identity belong to whoever uses the path now.
func (f *file) moveAside(now time.Time, suffixes ...string) error {
	if info, err := os.Stat(f.real); err == nil && os.SameFile(info, f.main) && f.broken == nil {
		return nil
	}
	if f.aside == "" {
		f.aside = now.UTC().Format(".aside-20060102T150405.000Z")
	}
	var errs []error
	for _, suffix := range suffixes {
		name := f.real + suffix
		if info, err := os.Stat(name); err != nil || !os.SameFile(info, f.opened(suffix)) {
			continue
		}
		if err := os.Rename(name, name+f.aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// moveBack undoes moveAside once the database is back under its name.
func (f *file) moveBack() error {
	if f.aside == "" {
		return nil
	}
	for _, suffix := range []string{logSuffix, indexSuffix} {
		name := f.real + suffix
		info, err := os.Stat(name + f.aside)
		if err != nil || !os.SameFile(info, f.opened(suffix)) {
			continue
		}
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.Rename(name+f.aside, name); err != nil {
			return err
		}
	}
	f.aside = ""
	return nil
}

func (f *file) opened(suffix string) fs.FileInfo {
	if suffix == logSuffix {
		return f.log
	}
	return f.index
}

// checkFile reports as Unavailable that what is written would be lost. The
// writer calls it before each transaction and now and then between. It repairs
// what it can: a lost log is saved and replaced.
func (w *writer) checkFile() error {
	if err := w.store.check.err(); err != nil {
		return err
	}
	f := w.store.file
	main, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return w.fileGone(err)
	case err != nil:
		return unavailable("the database file cannot be reached", err)
	case !os.SameFile(main, f.main):
		return w.fileReplaced()
	case f.broken != nil:
		return f.broken
	case main.Size() < f.main.Size():
		if err := w.checkShrunkFile(main); err != nil {
			return err
		}
	}
	f.main = main
	if err := f.moveBack(); err != nil {
		return unavailable("the write-ahead log cannot be moved back to the database file", err)
	}
	return w.checkLog()
}

// fileGone moves the log aside once the file that is open holds all of it, so
// that the file is complete by itself, under whatever name it comes back, and
// a backup in its place is safe. The index stays: it keeps a restart from
// beginning an empty store.
func (w *writer) fileGone(cause error) error {
	if w.copyLog() || w.store.file.broken != nil {
		cause = errors.Join(cause, w.store.file.moveAside(w.store.now(), logSuffix))
	}
	return unavailable("the database file is gone: put it back before a restart, which would lose what it holds", cause)
}

// fileReplaced moves log and index aside, because the next process would
// replay that log into a file it does not belong to.
func (w *writer) fileReplaced() error {
	w.copyLog() // as far as it goes: the log is kept
	if err := w.store.file.moveAside(w.store.now(), logSuffix, indexSuffix); err != nil {
		return unavailable("the database file was replaced by another: remove the -wal and -shm files beside it, then restart", err)
	}
	return unavailable("the database file was replaced by another: restart to use it", nil)
}

// checkShrunkFile tells a file that SQLite made smaller, after a VACUUM, from
// one that was cut short or overwritten by something else.
func (w *writer) checkShrunkFile(main fs.FileInfo) error {
	err := errors.New("the file is empty") // which SQLite never leaves
	if main.Size() > 0 {
		err = w.store.checkAnew()
	}
	if err == nil {
		return nil
	}
	if !damage(err) {
		return unavailable("the database file became smaller and cannot be checked", err)
	}
	f := w.store.file
	f.broken = unavailable("the database file was cut short or overwritten: restore a backup, then restart", err)
	if err := f.moveAside(w.store.now(), logSuffix); err != nil {
		f.broken = unavailable("the database file was cut short or overwritten: "+
			"remove the -wal file beside it, restore a backup, then restart", err)
	}
	return f.broken
}

// damage reports whether a check failed because of what is in the file. A read
// beyond the end of the log, which another process has moved aside, is one.
func damage(err error) bool {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return true // the check itself said so
	}
	code := se.Code()
	return code&0xff == sqlite3.SQLITE_CORRUPT || code&0xff == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_IOERR_SHORT_READ
}

// checkAnew checks the file over a connection of its own, which has no page in
// memory.
func (s *Store) checkAnew() error {
	pool, err := openReadOnly(context.Background(), s.path, s.busy, 1)
	if err != nil {
		return err
	}
	return errors.Join(check(context.Background(), pool), pool.Close())
}
