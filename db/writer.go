package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/em-metrics/em-metrics/db/rules"
)

// maxBatch bounds how many calls share one commit, and so how long the first
// of them waits.
const maxBatch = 256

// writer is the one goroutine that writes. It takes every call that is waiting
// into one transaction and answers each after the commit is on disk, so that
// calls share the cost of a sync and none waits for a lock.
type writer struct {
	store   *Store
	clock   *wallClock
	queue   chan *call
	jobs    chan job
	hurry   sync.Once
	stop    sync.Once
	hurried chan struct{} // closed when no call may wait for the write lock any longer
	closing chan struct{} // closed when no further call is taken
	done    chan struct{} // closed when the last call has been answered
	failing atomic.Bool
	tx      *tx // nil until a connection is open
}

// call is one Do: its commands are carried out together or not at all.
type call struct {
	ctx      context.Context
	deadline time.Time // until which it waits for the write lock
	commands []Command
	outcomes []Outcome
	err      error
	answered chan struct{}
}

func newWriter(s *Store, c *wallClock) *writer {
	w := &writer{
		store:   s,
		clock:   c,
		queue:   make(chan *call, maxBatch),
		jobs:    make(chan job),
		hurried: make(chan struct{}),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	go w.run()
	return w
}

// Do carries out the commands in order, all or none, and returns when they are
// on disk, with one outcome for each. It may be called concurrently; calls that
// wait at the same time share one commit, in which each succeeds or fails alone.
// A failure that the caller can act on is an [Error]; with the code Unavailable
// nothing was stored. When the context ends first, the commands may or may not
// have been stored; repeating them is safe. After [Store.Close] the error is
// Unavailable.
func (s *Store) Do(ctx context.Context, commands ...Command) ([]Outcome, error) {
	if err := rules.Check(commands...); err != nil {
		return nil, err
	}
	return s.writer.do(ctx, commands)
}

func (w *writer) do(ctx context.Context, commands []Command) ([]Outcome, error) {
	c := &call{ctx: ctx, deadline: time.Now().Add(w.store.busy), commands: commands, answered: make(chan struct{})}
	select {
	case <-w.closing:
		return nil, unavailable("the service is stopping", nil)
	default:
	}
	select {
	case w.queue <- c:
	case <-w.closing:
		return nil, unavailable("the service is stopping", nil)
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the writer: %w", ctx.Err())
	}
	select {
	case <-c.answered:
		return c.outcomes, c.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the commit: %w", ctx.Err())
	case <-w.done:
	}
	// The writer has ended. It may have answered this call with its last batch,
	// or the call may have entered the queue too late.
	select {
	case <-c.answered:
		return c.outcomes, c.err
	default:
		return nil, unavailable("the service is stopping", nil)
	}
}

func (w *writer) beginClose() {
	w.hurry.Do(func() { close(w.hurried) })
}

func (w *writer) close() {
	w.beginClose()
	w.stop.Do(func() { close(w.closing) })
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	defer w.discard(nil)
	check := time.NewTicker(fileCheckInterval)
	defer check.Stop()
	for {
		select {
		case first := <-w.queue:
			w.commit(w.drain(first))
		case j := <-w.jobs:
			j.done <- w.runJob(j)
		case <-check.C:
			if w.checkFile() != nil {
				w.failing.Store(true)
			}
		case <-w.closing:
			for {
				select {
				case first := <-w.queue:
					w.commit(w.drain(first))
				default:
					_ = w.checkFile() // so that no log stays beside another file
					return
				}
			}
		}
	}
}

// drain collects what is waiting. It yields once, so that callers which have
// just been answered can queue their next call; lingering longer only hurts.
func (w *writer) drain(first *call) []*call {
	runtime.Gosched()
	batch := []*call{first}
	for len(batch) < maxBatch {
		select {
		case c := <-w.queue:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// commit answers every call of the batch. When something other than the state
// of the store breaks the shared transaction, such as a constraint, each call is
// tried alone, so that only the culprit fails.
func (w *writer) commit(batch []*call) {
	batch, err := w.transact(batch)
	if len(batch) == 0 {
		return
	}
	var broken *Error
	if err != nil && !errors.As(err, &broken) && len(batch) > 1 {
		for _, c := range batch {
			w.commit([]*call{c})
		}
		return
	}
	w.failing.Store(broken != nil)
	for _, c := range batch {
		c.answer(err)
	}
}

// answer wakes the caller. An error replaces what the commands led to.
func (c *call) answer(err error) {
	if err != nil {
		c.outcomes, c.err = nil, err
	}
	close(c.answered)
}

// transact commits the batch in one transaction of three steps: load what its
// commands need, decide them, write what they change. A command that is refused
// leaves its error in its call; an error returned is one of the transaction, of
// which nothing is stored, or of a log that may not outlive the process. It
// returns the calls that have not been answered.
func (w *writer) transact(batch []*call) ([]*call, error) {
	if err := w.checkFile(); err != nil {
		return batch, err
	}
	t, err := w.open()
	if err != nil {
		return batch, err
	}
	batch, err = w.begin(t, batch)
	if err != nil {
		return batch, w.failed("begin", err)
	}
	if len(batch) == 0 {
		return nil, nil
	}
	return batch, w.change(t, batch)
}

// change loads, decides and writes in the transaction that has begun.
func (w *writer) change(t *tx, batch []*call) error {
	state := rules.NewState(w.clock.read())
	state.IgnoreRollbacks = !w.store.rollbacks
	if err := t.load(needs(batch), state); err != nil {
		return w.failed("load", err)
	}
	decide(batch, state)
	if err := t.write(state.Changes()); err != nil {
		return w.failed("write", err)
	}
	if slices.ContainsFunc(batch, func(c *call) bool { return c.err == nil && len(c.commands) == 0 }) {
		if err := t.exec("UPDATE readiness SET checked_at = ?", millis(w.store.now())); err != nil {
			return w.failed("check readiness", err)
		}
	}
	if err := t.exec("COMMIT"); err != nil {
		return w.failed("commit", err)
	}
	return w.checkCommit()
}

// needs collects what the calls need whose callers still wait.
func needs(batch []*call) *rules.Needs {
	n := &rules.Needs{}
	for _, c := range batch {
		if c.err = c.ctx.Err(); c.err == nil {
			n.Add(c.commands...)
		}
	}
	return n
}

func decide(batch []*call, state *rules.State) {
	for _, c := range batch {
		if c.err == nil {
			c.outcomes, c.err = state.Do(c.commands...)
		}
	}
}

// failed rolls the transaction back and returns the error for its callers.
func (w *writer) failed(doing string, cause error) error {
	if err := w.tx.exec("ROLLBACK"); err != nil {
		// SQLite ends the transaction by itself after some failures; then, and
		// whenever the connection is in doubt, a new one is the safe way on.
		w.discard(driver.ErrBadConn)
	}
	return storeError(fmt.Errorf("%s: %w", doing, cause))
}

func (w *writer) open() (*tx, error) {
	if w.tx != nil {
		return w.tx, nil
	}
	conn, err := w.store.writePool.Conn(context.Background())
	if err != nil {
		return nil, storeError(fmt.Errorf("open the connection for writing: %w", err))
	}
	w.tx = &tx{conn: conn, stmts: map[string]*sql.Stmt{}}
	if _, err := conn.ExecContext(context.Background(), "PRAGMA "+busyTimeout(min(lockWait, w.store.busy))); err != nil {
		w.discard(driver.ErrBadConn)
		return nil, storeError(fmt.Errorf("open the connection for writing: %w", err))
	}
	return w.tx, nil
}

// discard gives the connection back; with driver.ErrBadConn the pool closes it
// instead of using it again.
func (w *writer) discard(reason error) {
	if w.tx == nil {
		return
	}
	w.tx.close(reason)
	w.tx = nil
}

// tx is the transaction under way on the connection for writing, with the
// statements prepared on it so far.
type tx struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// exec and query use no caller's context: a batch belongs to many callers, and
// none of them may interrupt it for the others.
func (t *tx) exec(statement string, args ...any) error {
	stmt, err := t.prepare(statement)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background(), args...)
	return err
}

func (t *tx) query(statement string, args ...any) (*sql.Rows, error) {
	stmt, err := t.prepare(statement)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}

func (t *tx) queryValue(dest any, statement string) error {
	return t.conn.QueryRowContext(context.Background(), statement).Scan(dest)
}

func (t *tx) prepare(statement string) (*sql.Stmt, error) {
	if stmt, ok := t.stmts[statement]; ok {
		return stmt, nil
	}
	stmt, err := t.conn.PrepareContext(context.Background(), statement)
	if err != nil {
		return nil, fmt.Errorf("prepare statement: %w", err)
	}
	t.stmts[statement] = stmt
	return stmt, nil
}

func (t *tx) close(reason error) {
	for _, stmt := range t.stmts {
		_ = stmt.Close() // the connection ends next, whatever this says
	}
	if reason != nil {
		_ = t.conn.Raw(func(any) error { return reason })
	}
	_ = t.conn.Close()
}
