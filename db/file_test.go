package db

import (
	"database/sql/driver"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	fileIsGone     = "the database file is gone: put it back before a restart, which would lose what it holds: "
	fileIsReplaced = "the database file was replaced by another: restart to use it"
	logIsLost      = "the write-ahead log was removed, replaced or cut short"
	logIsCutShort  = "the write-ahead log was cut short, which lost the latest events: restart, and send them again"
)

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func identity(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// expectFiles checks which files lie in the folder; what was moved aside is
// named without its time.
func expectFiles(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		name, _, aside := strings.Cut(entry.Name(), ".aside-")
		if aside {
			name += ".aside"
		}
		got = append(got, name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("files in the folder:\n got %v\nwant %v", got, want)
	}
}

// What belongs to a file that went away goes aside, leaves alone what belongs
// to the file in its place, and comes back with the file.
func TestFileThatGoesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, Options{})
	if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", "09:00")); err != nil {
		t.Fatal(err)
	}
	recorded := []string{"deployment_started web/prod/1 at 09:00"}
	log, index := identity(t, path+"-wal"), identity(t, path+"-shm")

	rename(t, path, path+".away")
	expectUnavailable(t, s, fileIsGone)
	reader, err := s.readers.scrapes.pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	expectEvents(t, s, recorded) // what is open stays readable, over every connection
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	expectFiles(t, filepath.Dir(path), "store.db-shm", "store.db-wal.aside", "store.db.away")
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "the database file is missing or empty") {
		t.Errorf("Open beside the index of a missing file: %v", err)
	}

	if err := openStore(t, path+".other", Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	rename(t, path+".other", path)
	expectUnavailable(t, s, fileIsReplaced)
	expectFiles(t, filepath.Dir(path), "store.db", "store.db-shm.aside", "store.db-wal.aside", "store.db.away")

	other := openStore(t, path, Options{}) // the process after the restart
	if _, err := other.Do(t.Context(), start("web/prod/other", "08:00", "")); err != nil {
		t.Fatal(err)
	}
	expectUnavailable(t, s, fileIsReplaced)
	if err := other.Ready(t.Context()); err != nil {
		t.Error("the other store after this one looked again:", err)
	}
	expectEvents(t, s, recorded)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}

	rename(t, path+".away", path)
	expectRecovered(t, s)
	if !os.SameFile(log, identity(t, path+"-wal")) || !os.SameFile(index, identity(t, path+"-shm")) {
		t.Error("the log or its index did not come back")
	}
	expectFiles(t, filepath.Dir(path), "store.db", "store.db-shm", "store.db-wal")
}

// A symbolic link that is pointed at another file leaves the files of its old
// target alone: nobody takes them for those of the new one.
func TestSymbolicLink(t *testing.T) {
	folder := t.TempDir()
	link, one, two := filepath.Join(folder, "link"), filepath.Join(folder, "one.db"), filepath.Join(folder, "two.db")
	for _, path := range []string{two, one} {
		if err := openStore(t, path, Options{}).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(one, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	s := openStore(t, link, Options{})
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	remove(t, link)
	if err := os.Symlink(two, link); err != nil {
		t.Fatal(err)
	}
	expectUnavailable(t, s, fileIsReplaced)
	expectFiles(t, folder, "link", "one.db", "one.db-shm", "one.db-wal", "two.db")
	remove(t, link)
	if err := os.Symlink(one, link); err != nil {
		t.Fatal(err)
	}
	expectRecovered(t, s)
}

// SQLite itself changes the size of the file and of its log, and other
// processes may make it.
func TestSizesThatSQLiteChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, Options{})
	other := visitor(t, path)
	for _, test := range []struct {
		name       string
		statements []string
	}{
		{"the log is emptied", []string{"PRAGMA wal_checkpoint(TRUNCATE)"}},
		{"the log grows", []string{"CREATE TABLE filler AS SELECT zeroblob(300000) AS content"}},
		{"the log is copied", []string{"PRAGMA wal_checkpoint(PASSIVE)"}},
		{"the log is emptied and grows", []string{"PRAGMA wal_checkpoint(TRUNCATE)", "UPDATE readiness SET checked_at = 1"}},
		{"the file shrinks", []string{"DROP TABLE filler", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			execute(t, other, test.statements...)
			if _, err := s.Do(t.Context(), start("web/prod/"+test.name, "08:00", "")); err != nil {
				t.Error(err)
			}
		})
	}
	if got := len(events(t, s)); got != 5 {
		t.Errorf("%d events of 5 deployments", got)
	}
}

// A transaction larger than journal_size_limit makes the log larger than that,
// and the one after it cuts the log.
func TestLogThatSQLiteCuts(t *testing.T) {
	s, _ := newStore(t)
	const limit = 64 << 20
	execute(t, visitor(t, s.path), "CREATE TABLE filler AS SELECT zeroblob(70000000) AS content")
	if identity(t, s.path+"-wal").Size() <= limit {
		t.Fatal("the log did not grow")
	}
	expectRecovered(t, s)
	if size := identity(t, s.path+"-wal").Size(); size != limit {
		t.Errorf("the log has %d bytes, want %d", size, limit)
	}
}

// A lost log is saved and replaced as soon as no reader is in the way.
func TestLostLogWaitsForReaders(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", "")); err != nil {
		t.Fatal(err)
	}
	reader, err := s.readers.scrapes.pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var count int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM events").Scan(&count); err != nil {
		t.Fatal(err)
	}
	remove(t, s.path+"-wal")
	if _, err := s.Do(t.Context(), start("web/prod/refused", "08:00", "")); !HasCode(err, Unavailable) || !strings.HasPrefix(err.Error(), logIsLost) {
		t.Errorf("Do: %v", err)
	}
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM deployments").Scan(&count); err != nil || count != 1 {
		t.Errorf("the reader sees %d deployments, want 1: %v", count, err)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	expectRecovered(t, s)
	identity(t, s.path+"-wal")
	if got := len(events(t, s)); got != 2 {
		t.Errorf("%d events, want 2", got)
	}
}

// A commit into a log that lost its name in the middle of it is saved before
// it is acknowledged.
func TestLogLostDuringCommit(t *testing.T) {
	s, _ := newStore(t)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	command := start("web/prod/1", "08:00", "")
	command.Team = func(string) string {
		remove(t, s.path+"-wal")
		return ""
	}
	if _, err := s.Do(t.Context(), command); err != nil {
		t.Fatal(err)
	}
	// What a kill would leave: the files as they are now.
	copied := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expectEvents(t, openStore(t, copied, Options{}), []string{"deployment_started web/prod/1 at 12:00"})
}

// A log that was cut short is left as it is, and nothing of it is copied into
// the database, which would tear apart what was one transaction.
func TestLogCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, Options{})
	for _, name := range []string{"1", "2", "3"} {
		if _, err := s.Do(t.Context(), start("web/prod/"+name, "08:00", "09:00")); err != nil {
			t.Fatal(err)
		}
	}
	size := identity(t, path+"-wal").Size() * 3 / 4
	if err := os.Truncate(path+"-wal", size); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Ready(t.Context()); !HasCode(err, Unavailable) || err.Error() != logIsCutShort {
			t.Errorf("Ready: %v", err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !slices.Equal(after, content) {
		t.Error("Close changed the database", err)
	}
	if got := identity(t, path+"-wal").Size(); got != size {
		t.Errorf("Close left %d bytes of the log, want %d", got, size)
	}
}

// A log that was cut short after all of it was copied into the database has
// lost nothing.
func TestCopiedLogCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, Options{})
	if _, err := s.Do(t.Context(), start("web/prod/1", "08:00", "")); err != nil {
		t.Fatal(err)
	}
	for _, kept := range []int64{0, 1000} {
		other := visitor(t, path)
		execute(t, other, "PRAGMA wal_checkpoint(PASSIVE)")
		if err := os.Truncate(path+"-wal", kept); err != nil {
			t.Fatal(err)
		}
		// The log could be begun anew, but not while another has it open.
		if err := s.Ready(t.Context()); !HasCode(err, Unavailable) || !strings.HasPrefix(err.Error(), logIsLost) {
			t.Errorf("Ready: %v", err)
		}
		if err := other.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) { // closes it
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
	expectRecovered(t, s)
}

func TestMissingFileIsNotCreatedBesideItsLog(t *testing.T) {
	for _, suffix := range []string{"-wal", "-shm"} {
		for name, content := range map[string]*[]byte{"missing": nil, "empty": {}} {
			path := filepath.Join(t.TempDir(), "store.db")
			if err := os.WriteFile(path+suffix, []byte("of another"), 0o600); err != nil {
				t.Fatal(err)
			}
			if content != nil {
				if err := os.WriteFile(path, *content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Open(t.Context(), path, Options{})
			if err == nil || !strings.Contains(err.Error(), "the database file is missing or empty, but "+path+suffix+" exists") {
				t.Errorf("%s beside %s: %v", name, suffix, err)
			}
			if _, err := os.Stat(path); content == nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s beside %s: the file was created", name, suffix)
			}
		}
	}
}
