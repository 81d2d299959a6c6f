package db

import (
	"context"
	"errors"
	"os"
	"time"
)

// renewLimit bounds how long the writer waits for readers to let go of a lost
// log before it tries again with the next batch.
const renewLimit = 200 * time.Millisecond

// checkLog looks at the log and its index before something is written. A log
// of the size that the last commit left is whole.
func (w *writer) checkLog() error {
	f := w.store.file
	log, err := os.Stat(f.real + logSuffix)
	if err != nil || !os.SameFile(log, f.log) {
		return w.renewLog(err)
	}
	if index, err := os.Stat(f.real + indexSuffix); err != nil || !os.SameFile(index, f.index) {
		return w.renewLog(err)
	}
	if log.Size() != f.log.Size() {
		return w.checkLogSize()
	}
	return nil
}

// checkCommit looks at the log after a commit, which it must hold before the
// commit is acknowledged.
func (w *writer) checkCommit() error {
	f := w.store.file
	log, err := os.Stat(f.real + logSuffix)
	if err != nil || !os.SameFile(log, f.log) {
		return w.renewLog(err)
	}
	if log.Size() < f.log.Size() {
		return w.checkLogSize()
	}
	f.log = log
	return nil
}

// checkLogSize tells a log whose size SQLite changed, maybe in another process,
// from one that was cut short by something else. The frames in use and the
// size of the file belong together only if the frames are the same before and
// after the size is read.
func (w *writer) checkLogSize() error {
	f := w.store.file
	t, err := w.open()
	if err != nil {
		return err
	}
	var pageSize int64
	if err := t.queryValue(&pageSize, "PRAGMA page_size"); err != nil {
		return unavailable("the write-ahead log cannot be checked", err)
	}
	for before := (logState{}); ; {
		log, err := os.Stat(f.real + logSuffix)
		if err != nil {
			return w.renewLog(err)
		}
		state, err := t.checkpoint("NOOP")
		if err != nil {
			return unavailable("the write-ahead log cannot be checked", err)
		}
		const header, frameHeader = 32, 24 // bytes
		switch {
		case log.Size() >= header+state.frames*(frameHeader+pageSize), state.frames == 0:
			f.log = log
			return nil
		case state != before:
			before = state
		case state.frames == state.copied: // none of the lost frames is needed
			return w.renewLog(nil)
		default:
			f.broken = unavailable("the write-ahead log was cut short, which lost the latest events: "+
				"restart, and send them again", nil)
			return f.broken
		}
	}
}

// logState is how many frames of the log are in use, and how many of these
// have been copied into the database.
type logState struct{ frames, copied int64 }

// checkpoint runs one of a mode that waits for nobody: PASSIVE, or NOOP, which
// only looks.
func (t *tx) checkpoint(mode string) (state logState, err error) {
	var busy int
	err = t.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint("+mode+")").
		Scan(&busy, &state.frames, &state.copied)
	return state, err
}

// copyLog copies the log into the file that is open, whatever its name, and
// reports whether that file now holds everything. Without a connection none is
// opened, because it would be one to another file. A broken log is not copied:
// parts of a transaction may be missing from it.
func (w *writer) copyLog() (complete bool) {
	if w.tx == nil || w.store.file.broken != nil {
		return false
	}
	state, err := w.tx.checkpoint("PASSIVE")
	return err == nil && state.frames == state.copied
}

// renewLog replaces a log or an index that has lost its name. First the log,
// which SQLite still has open, is copied into the database. Then leaving WAL
// mode closes it. SQLite permits that only to the last connection of all
// processes, which proves that nobody depends on the old log.
func (w *writer) renewLog(cause error) error {
	const lost = "the write-ahead log was removed, replaced or cut short"
	t, err := w.open()
	if err != nil {
		return err
	}
	w.store.check.stop() // the file is checked anew below
	if !w.copyLog() {
		return unavailable(lost, cause)
	}
	w.store.readers.keepIdle(false)
	defer w.store.readers.keepIdle(true)
	for _, mode := range []string{"DELETE", "WAL"} {
		if err := setJournalMode(context.Background(), t.conn, mode, renewLimit); err != nil {
			return unavailable(lost+": everything is saved, restart every process that uses the database", errors.Join(cause, err))
		}
	}
	var version int
	err = t.queryValue(&version, "PRAGMA user_version") // opens the new log
	if err == nil {
		err = w.store.checkAnew()
	}
	if err == nil {
		err = w.store.file.identify()
	}
	if err != nil {
		return unavailable(lost, err)
	}
	return nil
}
