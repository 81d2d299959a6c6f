package main

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// maxConnections bounds the memory of open connections where the limit on file
	// descriptors does not: 2,048 idle ones take about 40 MB.
	maxConnections = 2048
	// otherDescriptors is the number of file descriptors left for everything else:
	// the database, its temporary files, the push and the log.
	otherDescriptors = 64
	// fullLogInterval is the minimum time between two log lines about the limit.
	fullLogInterval = time.Minute
)

// connectionLimit returns the maximum number of open connections for a process
// that may have the given number of open file descriptors. It is at least 1, and
// leaves half of the descriptors for everything else if there are very few.
func connectionLimit(descriptors uint64) int {
	descriptors = max(min(descriptors, maxConnections+otherDescriptors), 2)
	return int(max(descriptors/2, descriptors-min(descriptors, otherDescriptors))) //nolint:gosec // small
}

// limitedListener accepts connections up to a limit. Beyond it, clients wait in
// the queue of the operating system until a connection is closed.
type limitedListener struct {
	net.Listener
	slots         chan struct{} // holds one element for each open connection
	setKeepAlives func(bool)
	logger        *slog.Logger
	closed        chan struct{}
	close         func() error
	loggedFull    time.Time // used by Accept only
}

// newLimitedListener limits l. While the limit is reached, keep-alives are turned
// off with setKeepAlives, which must close idle connections, so that clients that
// have nothing to send cannot keep others out.
func newLimitedListener(l net.Listener, limit int, setKeepAlives func(bool), logger *slog.Logger) *limitedListener {
	closed := make(chan struct{})
	return &limitedListener{
		Listener: l, slots: make(chan struct{}, limit), setKeepAlives: setKeepAlives, logger: logger, closed: closed,
		close: sync.OnceValue(func() error {
			close(closed)
			return l.Close()
		}),
	}
}

// Accept implements [net.Listener]. It logs failures, which the HTTP server would
// otherwise retry silently, such as a lack of file descriptors. It must not be
// called concurrently.
func (l *limitedListener) Accept() (net.Conn, error) {
	if !l.acquire() {
		return nil, net.ErrClosed
	}
	accepted, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		if !errors.Is(err, net.ErrClosed) {
			l.logger.Error("accepting a connection failed; retrying", "error", err)
		}
		return nil, err
	}
	return &limitedConn{Conn: accepted, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// acquire waits for a slot. It reports false if the listener is closed first.
func (l *limitedListener) acquire() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	if now := time.Now(); now.Sub(l.loggedFull) >= fullLogInterval {
		l.loggedFull = now
		l.logger.Error("the connection limit is reached; new clients wait", "limit", cap(l.slots))
	}
	l.setKeepAlives(false)
	defer l.setKeepAlives(true)
	select {
	case l.slots <- struct{}{}:
		return true
	case <-l.closed:
		return false
	}
}

// Close implements [net.Listener]. Closing again does nothing.
func (l *limitedListener) Close() error { return l.close() }

// limitedConn is a connection that releases its slot when it is closed.
type limitedConn struct {
	net.Conn
	release func()
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
