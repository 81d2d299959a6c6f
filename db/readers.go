package db

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"net/url"
	"sync/atomic"
	"time"
)

// How many connections read at the same time. Two cost the writer least
// (measured on two cores); scrapes are short and rare.
const (
	maxReaders       = 2
	maxScrapeReaders = 2 // one of them computes the figures of windows, which takes long
	maxFigureReaders = 1 // of maxReaders, so that lists stay quick
)

// maxFiguresWaiting bounds how many requests for figures wait for their turn. A
// request that found more ahead of it would time out before its turn came.
const maxFiguresWaiting = 32

// readers are the ways to read the store. Whatever is asked for most, the others
// still get their turn.
type readers struct {
	scrapes *lane // the exporter
	figures *lane // what reads a whole window
	lists   *lane // everything else
}

func openReaders(ctx context.Context, s *Store) (*readers, error) {
	r := &readers{}
	shared, err := openReadOnly(ctx, s.path, s.busy, maxReaders)
	if err != nil {
		return nil, err
	}
	scrapes, err := openReadOnly(ctx, s.path, s.busy, maxScrapeReaders)
	if err != nil {
		return nil, errors.Join(err, shared.Close())
	}
	r.scrapes = newLane(scrapes, maxScrapeReaders)
	r.lists = newLane(shared, maxReaders)
	r.figures = newLane(shared, maxFigureReaders)
	r.scrapes.check, r.lists.check = s.check, s.check // the figures enter the lists, too
	r.figures.into, r.figures.maxWaiting, r.figures.busy = r.lists, maxFiguresWaiting, "too many requests for figures at once"
	return r, nil
}

// openReadOnly opens a pool with all its connections: one that was opened later
// would be to whatever lies under the path by then.
func openReadOnly(ctx context.Context, path string, busy time.Duration, connections int) (_ *sql.DB, err error) {
	pool, err := sql.Open("sqlite", dataSource(path, url.Values{
		"mode":    {"ro"},
		"_pragma": {busyTimeout(busy), "query_only(1)"},
	}))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	for range connections {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return nil, errors.Join(storeError(err), pool.Close())
		}
		defer func() { err = errors.Join(err, conn.Close()) }() // back into the pool
		var version int
		if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil { // opens the log, too
			return nil, errors.Join(storeError(err), pool.Close())
		}
	}
	return pool, nil
}

// keepIdle closes connections as soon as nothing reads from them, or stops doing
// so.
func (r *readers) keepIdle(keep bool) {
	for _, l := range []*lane{r.scrapes, r.lists} {
		n := 0
		if keep {
			n = cap(l.places)
		}
		l.pool.SetMaxIdleConns(n)
	}
}

func (r *readers) close() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.scrapes.pool.Close(), r.lists.pool.Close())
}

// lane is a queue in front of a pool of connections: first come, first served.
// Without it database/sql would wake any of those that wait, and some would wait
// very long.
type lane struct {
	pool       *sql.DB
	check      *fileCheck
	places     chan struct{} // holds one value for each reader; senders to a channel are served in order
	into       *lane         // the lane that readers of this one must enter as well, nil if there is none
	waiting    atomic.Int64
	maxWaiting int64
	busy       string // the reason for refusing a reader
}

func newLane(pool *sql.DB, readers int) *lane {
	return &lane{
		pool: pool, places: make(chan struct{}, readers),
		maxWaiting: math.MaxInt64, busy: "too many requests at once",
	}
}

// enter waits for a place. The caller must call leave when it has read. The error
// is Unavailable if the file is damaged, too many are waiting already or the context
// ends first.
func (l *lane) enter(ctx context.Context) (leave func(), err error) {
	if err := l.check.err(); err != nil {
		return nil, err
	}
	select {
	case l.places <- struct{}{}:
	default:
		if err := l.wait(ctx); err != nil {
			return nil, err
		}
	}
	if l.into == nil {
		return func() { <-l.places }, nil
	}
	leaveNext, err := l.into.enter(ctx)
	if err != nil {
		<-l.places
		return nil, err
	}
	return func() { leaveNext(); <-l.places }, nil
}

func (l *lane) wait(ctx context.Context) error {
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > l.maxWaiting {
		return unavailable(l.busy, nil)
	}
	select {
	case l.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unavailable(l.busy, ctx.Err())
	}
}

// query reads all rows of a query.
func query[T any](ctx context.Context, l *lane, scan func(*sql.Rows) (T, error), statement string, args ...any) ([]T, error) {
	leave, err := l.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	rows, err := l.pool.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, storeError(err)
	}
	found, err := collect(rows, scan)
	return found, storeError(err)
}
