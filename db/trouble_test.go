package db

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// expectUnavailable checks that nothing can be written, for the reason given,
// while reads go on.
func expectUnavailable(t *testing.T, s *Store, reason string) {
	t.Helper()
	before := events(t, s)
	_, err := s.Do(t.Context(), start("web/prod/refused", "08:00", ""))
	if !HasCode(err, Unavailable) || !strings.HasPrefix(err.Error(), reason) {
		t.Errorf("Do: got %v, want %s", err, reason)
	}
	if s.Writable() {
		t.Error("the store says it can be written to")
	}
	if err := s.Ready(t.Context()); !HasCode(err, Unavailable) {
		t.Errorf("Ready: got %v, want %s", err, reason)
	}
	if after := events(t, s); len(after) != len(before) {
		t.Errorf("there were %d events and now there are %d", len(before), len(after))
	}
}

func expectRecovered(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
	if !s.Writable() {
		t.Error("the store says it cannot be written to")
	}
	outcomes, err := s.Do(t.Context(), start("web/prod/refused", "08:00", ""))
	if err != nil || !outcomes[0].Created {
		t.Errorf("the refused deployment, sent again: %s", answer(outcomes, err))
	}
}

// visitor opens the file as another program does.
func visitor(t *testing.T, path string) *sql.Conn {
	t.Helper()
	if err := chooseLocksAndSyncs(); err != nil { // for the whole process, before any file
		t.Fatal(err)
	}
	pool, err := sql.Open("sqlite", dataSource(path, url.Values{"_pragma": {"busy_timeout(10000)"}}))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = pool.Close()
	})
	return conn
}

func execute(t *testing.T, conn *sql.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestLockedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	s := openStore(t, path, Options{BusyTimeout: 5 * time.Millisecond})
	other := visitor(t, path)
	for range 3 {
		execute(t, other, "BEGIN EXCLUSIVE")
		expectUnavailable(t, s, "the database is locked by another process: ")
		if _, err := Open(t.Context(), path, Options{BusyTimeout: 5 * time.Millisecond}); !HasCode(err, Unavailable) {
			t.Errorf("Open: %v", err)
		}
		execute(t, other, "ROLLBACK")
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
	expectRecovered(t, s)
}

// A lock that is given back in time is waited for.
func TestWaitForLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	s := openStore(t, path, Options{BusyTimeout: time.Minute})
	other := visitor(t, path)
	execute(t, other, "BEGIN IMMEDIATE", "UPDATE readiness SET checked_at = 1")
	answered := make(chan error)
	go func() {
		_, err := s.Do(context.Background(), start("web/prod/1", "08:00", ""))
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatal("did not wait:", err)
	case <-time.After(20 * time.Millisecond):
	}
	execute(t, other, "COMMIT")
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// limitPages makes the disk as full as it can be made from here: connections
// for writing that are opened from now on may add only so many pages.
func limitPages(t *testing.T, s *Store, more int) {
	t.Helper()
	var pages int
	if err := s.readers.lists.pool.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limited, err := sql.Open("sqlite", dataSource(s.path, url.Values{"_pragma": {
		"busy_timeout(5000)", "synchronous(FULL)", "foreign_keys(1)", fmt.Sprintf("max_page_count(%d)", pages+more),
	}}))
	if err != nil {
		t.Fatal(err)
	}
	unlimited := s.writePool
	s.writePool = limited
	if err := unlimited.Close(); err != nil {
		t.Fatal(err)
	}
}

// freePages takes the limit off the connection in use.
func freePages(t *testing.T, s *Store) {
	t.Helper()
	hold(t, s, func() {
		if _, err := s.writer.tx.conn.ExecContext(t.Context(), "PRAGMA max_page_count = 10000"); err != nil {
			t.Error(err)
		}
	})()
}

func TestFullDisk(t *testing.T) {
	s, _ := newStore(t)
	limitPages(t, s, 5)
	acknowledged := 0
	for {
		_, err := s.Do(t.Context(), start(fmt.Sprintf("web/prod/%d", acknowledged), "08:00", ""))
		if err != nil {
			if got := answer(nil, err); !strings.HasPrefix(got, "unavailable: the disk is full: ") {
				t.Fatal(got)
			}
			break
		}
		acknowledged++
	}
	if acknowledged < 10 {
		t.Fatalf("only %d deployments found room", acknowledged)
	}

	// A batch that does not fit fails as a whole, with what would fit alone.
	var big []Command
	for n := range 100 {
		big = append(big, start(fmt.Sprintf("web/prod/%d%s", n, strings.Repeat("x", 250)), "08:00", ""))
	}
	release := hold(t, s)
	answers := []func() string{send(t.Context(), s, big...), send(t.Context(), s, start("web/prod/0", "08:00", ""))}
	release()
	for _, answered := range answers {
		if got := answered(); !strings.HasPrefix(got, "unavailable: the disk is full: ") {
			t.Errorf("%.100s", got)
		}
	}
	if got := len(events(t, s)); got != acknowledged {
		t.Errorf("%d events of %d acknowledged deployments", got, acknowledged)
	}
	if s.Writable() {
		t.Error("the store says it can be written to")
	}

	freePages(t, s)
	expectRecovered(t, s)
	if got := len(events(t, s)); got != acknowledged+1 {
		t.Errorf("%d events of %d acknowledged deployments", got, acknowledged+1)
	}
}

// filled makes a closed store of some hundred pages and returns its file.
func filled(t *testing.T) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "em-metrics.db")
	s := openStore(t, path, Options{})
	var commands []Command
	for n := range 2000 {
		commands = append(commands, start(fmt.Sprintf("web/prod/%d", n), "08:00", "09:00"))
	}
	if _, err := s.Do(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

func TestDamagedFileIsRefusedAtOpen(t *testing.T) {
	path, sound := filled(t)
	const page = 4096
	for _, test := range []struct {
		name   string
		damage func(content []byte) []byte
	}{
		{"a page of zeros", func(c []byte) []byte {
			clear(c[20*page : 21*page])
			return c
		}},
		{"a page of noise", func(c []byte) []byte {
			for i := range c[20*page : 21*page] {
				c[20*page+i] ^= byte(37 * i)
			}
			return c
		}},
		{"cut in the middle of a page", func(c []byte) []byte { return c[:len(c)-page-page/2] }},
		{"cut by many pages", func(c []byte) []byte { return c[:len(c)/2] }},
		{"its header is gone", func(c []byte) []byte { return c[page:] }},
		{"not a database", func([]byte) []byte { return bytes.Repeat([]byte("to be or not to be "), 1000) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			damaged := test.damage(bytes.Clone(sound))
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), path, Options{})
			if !HasCode(err, Unavailable) || !strings.Contains(err.Error(), "the database file is damaged") {
				t.Errorf("Open: %v", err)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, damaged) {
				t.Error("the damaged file was changed", err)
			}
		})
	}
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := len(events(t, openStore(t, path, Options{}))); got != 2000 {
		t.Errorf("%d events in the sound file", got)
	}
}

// Damage that comes while the store is open is met by the first read.
func TestDamageUnderTheProcess(t *testing.T) {
	path, content := filled(t)
	s := openStore(t, path, Options{})
	clear(content[4096*10:])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Deployments(t.Context(), DeploymentFilter{Page: Page{Limit: 5000}})
	if !HasCode(err, Unavailable) || !strings.Contains(err.Error(), "the database file is damaged") {
		t.Error(err)
	}
}

func TestFileThatCannotBeOpened(t *testing.T) {
	folder := t.TempDir()
	for path, reason := range map[string]string{
		folder: "is a folder", filepath.Join(folder, "missing", "em-metrics.db"): "does not exist",
	} {
		_, err := Open(t.Context(), path, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "open store") || !strings.Contains(err.Error(), reason) {
			t.Errorf("Open %s: %v, want %q", path, err, reason)
		}
	}
}

func TestPathsOfAllKinds(t *testing.T) {
	for _, name := range []string{"a b.db", "what?.db", "no#1.db", "100%.db", "%41.db", "a?mode=ro&b=c;d+e='f'.db", "größe 🚀.db", ":memory:"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			s := openStore(t, path, Options{})
			if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", "")); err != nil {
				t.Fatal(err)
			}
			if size, err := s.Size(); err != nil || size < 4096 {
				t.Errorf("size %d, %v", size, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(files) != 1 || files[0].Name() != name {
				t.Errorf("files in the folder: %v, %v", files, err)
			}
			if got := len(events(t, openStore(t, path, Options{}))); got != 1 {
				t.Errorf("%d events after opening again", got)
			}
		})
	}
}
