package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
)

// exhaustedListener has no file descriptor for the next connection.
type exhaustedListener struct{ net.Listener }

// Accept implements [net.Listener].
func (exhaustedListener) Accept() (net.Conn, error) {
	return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
}

// newTestListener returns a listener for one connection at a time, and its log.
func newTestListener(t *testing.T) (l *limitedListener, log *bytes.Buffer) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = &bytes.Buffer{}
	l = newLimitedListener(tcp, 1, func(bool) {}, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { _ = l.Close() })
	return l, log
}

func TestFailedAcceptIsLogged(t *testing.T) {
	l, log := newTestListener(t)
	l.Listener = exhaustedListener{l.Listener}
	for range 3 { // a failure must not use up the limit
		if _, err := l.Accept(); !errors.Is(err, syscall.EMFILE) {
			t.Fatalf("Accept: %v, want EMFILE", err)
		}
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 3 {
		t.Errorf("%d errors are logged, want 3:\n%s", got, log)
	}
}

func TestClosedConnectionMakesRoom(t *testing.T) {
	l, log := newTestListener(t)
	for range 3 {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = accepted.Close()
		_ = accepted.Close() // closing again must not make room for two
	}
	if log.Len() > 0 {
		t.Errorf("the log is not empty:\n%s", log)
	}
	l.slots <- struct{}{}
	waiting := make(chan error)
	go func() {
		_, err := l.Accept()
		waiting <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener at its limit: %v, want %v", err, net.ErrClosed)
	}
}
