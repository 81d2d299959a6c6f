package db

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// largeFile makes a closed store that is too large to be checked before it is
// opened. Its deployments are at the end of the file.
func largeFile(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "em-metrics.db")
	s := openStore(t, path, Options{})
	other := visitor(t, path)
	execute(t, other, "PRAGMA synchronous = OFF", "CREATE TABLE filler (content BLOB)",
		fmt.Sprintf("INSERT INTO filler VALUES (zeroblob(%d))", checkedAtOpen))
	disconnect(t, other)
	startMany(t, s, 0, 3000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// disconnect closes the file of a connection, which keeps no log alive then.
func disconnect(t *testing.T, conn *sql.Conn) {
	t.Helper()
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}

func startMany(t *testing.T, s *Store, from, to int) {
	t.Helper()
	var commands []Command
	for n := range to - from {
		commands = append(commands, start(fmt.Sprintf("web/prod/%d", from+n), "08:00", "09:00"))
	}
	if _, err := s.Do(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
}

// checkedLater reports whether the file was opened before it was checked.
func checkedLater(s *Store) bool { return s.check.cancel != nil }

func TestLargeFileIsCheckedInUse(t *testing.T) {
	s := openStore(t, largeFile(t), Options{})
	if !checkedLater(s) {
		t.Error("the file was checked first")
	}
	startMany(t, s, 3000, 3100)
	<-s.check.done
	startMany(t, s, 3100, 3200)
	if got := len(events(t, s)); got != 3200 {
		t.Errorf("%d events", got)
	}
	if checkedLater(openStore(t, filepath.Join(t.TempDir(), "small.db"), Options{})) {
		t.Error("a small file was not checked first")
	}
}

// Damage that is found in use makes everything Unavailable, and says what to do.
func TestDamageFoundInUse(t *testing.T) {
	path := largeFile(t)
	overwrite(t, path, -20*4096)
	s := openStore(t, path, Options{})
	<-s.check.done
	_, writing := s.Do(t.Context(), start("web/prod/new", "08:00", "09:00"))
	_, _, listing := s.Deployments(t.Context(), DeploymentFilter{Page: Page{Limit: 1}})
	_, scraping := s.LastEvent(t.Context())
	saving := s.RenewEpoch(t.Context(), "")
	for name, err := range map[string]error{
		"write": writing, "list": listing, "scrape": scraping, "ready": s.Ready(t.Context()), "save": saving,
	} {
		if !HasCode(err, Unavailable) || !strings.Contains(err.Error(), "the database file is damaged: restore a backup, then restart") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.Writable() {
		t.Error("the store is said to be writable")
	}
}

// overwrite damages a page, counted from the end of the file.
func overwrite(t *testing.T, path string, offset int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Repeat("noise", 800)), info.Size()+offset)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Where header, size and log do not agree, a large file is checked first.
func TestLargeFileThatWasCut(t *testing.T) {
	path := largeFile(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{info.Size() - 4096, info.Size() - 99, info.Size() - 200*4096} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), path, Options{})
		if err == nil {
			t.Errorf("cut to %d: opened, checked later: %v", size, checkedLater(s))
			_ = s.Close()
		}
	}
}

// A crash leaves a log, which belongs to the file unless a part of it is missing.
func TestLargeFileWithLog(t *testing.T) {
	path := largeFile(t)
	s := openStore(t, path, Options{})
	startMany(t, s, 3000, 3001)
	log, err := os.Stat(path + logSuffix)
	if err != nil {
		t.Fatal(err)
	}
	startMany(t, s, 3001, 4000)
	<-s.check.done // which would keep a part of the log from being copied
	crashed := copyFiles(t, path)
	other := visitor(t, path)
	execute(t, other, "PRAGMA wal_checkpoint(PASSIVE)")
	disconnect(t, other)
	lost := copyFiles(t, path)
	if err := os.Truncate(lost+logSuffix, log.Size()); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, crashed, Options{})
	if got := len(events(t, s)); got != 4000 || !checkedLater(s) {
		t.Errorf("%d events, checked later: %v", got, checkedLater(s))
	}
	if s, err := Open(t.Context(), lost, Options{}); err == nil {
		if checkedLater(s) {
			t.Error("a file that has lost a part of its log was not checked first")
		}
		_ = s.Close()
	}
}

// copyFiles copies a database and its log, as a crash would leave them.
func copyFiles(t *testing.T, path string) (copied string) {
	t.Helper()
	copied = filepath.Join(t.TempDir(), "em-metrics.db")
	for _, suffix := range []string{"", logSuffix} {
		content, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(copied+suffix, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// A lost log is renewed although the file is being checked.
func TestLogLostDuringCheck(t *testing.T) {
	path := largeFile(t)
	s := openStore(t, path, Options{})
	startMany(t, s, 3000, 3100)
	if err := os.Remove(path + logSuffix); err != nil {
		t.Fatal(err)
	}
	startMany(t, s, 3100, 3200)
	if got := len(events(t, s)); got != 3200 {
		t.Errorf("%d events", got)
	}
}
