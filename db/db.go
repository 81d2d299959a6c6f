// Package db stores deployments, incidents and the events that follow from
// them in one SQLite file. [Store.Do] is the only way to change it; everything
// else reads.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

// Options are the settings of a [Store]. The zero value is the one for
// production.
type Options struct {
	// Now tells the time. Nil means [time.Now].
	Now func() time.Time
	// BusyTimeout is how long a write waits for another process that holds the
	// write lock, from the call of Do on. Zero means five seconds.
	BusyTimeout time.Duration
	// IgnoreRollbacks leaves it to the client to say that a deployment is a rollback.
	// Otherwise its commit decides.
	IgnoreRollbacks bool
}

// Store is an open database. Its methods may be called concurrently, and
// several processes may have the same file open.
type Store struct {
	path      string
	file      *file
	busy      time.Duration // how long a call or a connection waits for a lock
	now       func() time.Time
	rollbacks bool // whether they are recognized
	writer    *writer
	writePool *sql.DB
	readers   *readers
	check     *fileCheck // beside the service
}

// Open opens the database file, creates it if there is none, checks that it is
// sound and brings its schema up to date. A large file is checked while it is in
// use; if it turns out to be damaged, everything is Unavailable from then on. Locks and syncs of SQLite are set
// for the whole process: locks that survive another part of the process
// opening the file, and fdatasync, which is as durable as fsync.
func Open(ctx context.Context, path string, o Options) (_ *Store, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = 5 * time.Second
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the database file: %w", err)
	}
	if err := CheckPath(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := chooseLocksAndSyncs(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &Store{path: path, file: newFile(path), busy: o.BusyTimeout, now: o.Now, rollbacks: !o.IgnoreRollbacks, check: &fileCheck{}}
	defer func() {
		if err != nil {
			s.check.stop()
			err = errors.Join(fmt.Errorf("open store %s: %w", path, err), s.closePools())
		}
	}()
	if err := s.file.checkMissing(); err != nil {
		return nil, err
	}
	later, err := s.openWriter(ctx)
	if err != nil {
		return nil, err
	}
	if s.readers, err = openReaders(ctx, s); err != nil {
		return nil, err
	}
	if later {
		if err := s.check.start(ctx, s); err != nil {
			return nil, err
		}
	}
	clock, err := s.openClock(ctx)
	if err != nil {
		return nil, err
	}
	s.writer = newWriter(s, clock)
	return s, nil
}

func chooseLocksAndSyncs() error {
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) {
		return fmt.Errorf("choose file locks: %w", err)
	}
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return fmt.Errorf("choose fdatasync: %w", err)
	}
	return nil
}

// openWriter opens the connection for writing and reports whether the file is yet
// to be checked.
func (s *Store) openWriter(ctx context.Context) (checkLater bool, err error) {
	h, err := readHeader(s.file.real)
	if err != nil {
		return false, fmt.Errorf("read the header: %w", err)
	}
	pool, err := sql.Open("sqlite", dataSource(s.path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			busyTimeout(s.busy), "synchronous(FULL)",
			"foreign_keys(1)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)",
		},
	}))
	if err != nil {
		return false, err
	}
	pool.SetMaxOpenConns(1)
	s.writePool = pool
	if checkLater, err = s.checkNow(ctx, pool, h); err != nil {
		return false, err
	}
	if err := migrate(ctx, pool, s.busy); err != nil {
		return false, err
	}
	if err := nameHistory(ctx, pool); err != nil {
		return false, err
	}
	s.file.resolve() // now that it exists
	return checkLater, s.file.identify()
}

func busyTimeout(wait time.Duration) string {
	return fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds())
}

func dataSource(path string, query url.Values) string {
	file := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	return file.String()
}

// BeginClose announces [Store.Close]. Everything works as before, but no command
// waits for another process's lock any longer: it fails with an Unavailable error
// instead of delaying the end.
func (s *Store) BeginClose() { s.writer.beginClose() }

// Close waits for the commands in progress, answers later ones with an
// Unavailable error, and closes the file. Closing again does nothing.
func (s *Store) Close() error {
	s.writer.close()
	s.check.stop()
	if s.file.broken != nil {
		// The last connection to close copies the log into the database, and
		// here the two do not fit: leave them as a crash would.
		return nil //nolint:nilerr // every call has been answered with that error
	}
	if err := s.closePools(); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) closePools() error {
	err := s.readers.close()
	if s.writePool != nil {
		err = errors.Join(err, s.writePool.Close())
	}
	return err
}

// Path returns the absolute path of the database file.
func (s *Store) Path() string { return s.path }

// Now returns the time as the store sees it.
func (s *Store) Now() time.Time { return s.now() }

// Ready reports whether the store can store, by writing a row along the very
// path of an event.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.writer.do(ctx, nil)
	return err
}

// Writable tells whether the last attempt to write succeeded.
func (s *Store) Writable() bool { return !s.writer.failing.Load() }
