package db

import (
	"bytes"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// steps reads the scripts of all migrations, in order.
func steps(t *testing.T) (scripts []string) {
	t.Helper()
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		script, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, string(script))
	}
	return scripts
}

// databaseAt makes a file with the schema as it was after so many migrations,
// with some rows in it.
func databaseAt(t *testing.T, version int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "em-metrics.db")
	scripts := steps(t)
	statements := append(scripts[:version:version], fmt.Sprintf("PRAGMA user_version = %d", version))
	for _, rows := range []struct{ since, file string }{
		{"TABLE deployments", "testdata/rows.sql"},
		{"DROP TRIGGER incidents_linked_to_a_deployment", "testdata/rows_0003.sql"},
		{"TABLE incident_counts", "testdata/rows_0005.sql"},
		{"failed_because", "testdata/rows_0006.sql"},
	} {
		if !strings.Contains(strings.Join(scripts[:version], ""), rows.since) {
			continue
		}
		rows, err := os.ReadFile(rows.file)
		if err != nil {
			t.Fatal(err)
		}
		statements = append(statements, string(rows))
	}
	execute(t, visitor(t, path), statements...)
	return path
}

// dump writes out the schema and every row of every table.
func dump(t *testing.T, path string) string {
	t.Helper()
	conn := visitor(t, path)
	var text strings.Builder
	text.WriteString(lines(t, conn, "PRAGMA integrity_check"))
	text.WriteString(lines(t, conn, "PRAGMA user_version"))
	text.WriteString(lines(t, conn, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"))
	for table := range strings.Lines(lines(t, conn, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'history' ORDER BY name")) { // its row is random
		text.WriteString(table + lines(t, conn, "SELECT * FROM "+table))
	}
	return text.String()
}

func lines(t *testing.T, conn *sql.Conn, query string) string {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&text, values...)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// Rows that were written under an old schema must end as if they had been
// written under the newest one.
func TestEachMigrationFromTheSchemaBeforeIt(t *testing.T) {
	newest := len(steps(t))
	want := dump(t, databaseAt(t, newest))
	if !strings.HasPrefix(want, fmt.Sprintf("ok\n%d\n", newest)) {
		t.Fatal(want)
	}
	for version := 1; version < newest; version++ {
		t.Run(fmt.Sprintf("from version %d", version), func(t *testing.T) {
			path := databaseAt(t, version)
			s := openStore(t, path, Options{})
			if got := len(events(t, s)); got != 5 {
				t.Errorf("%d events", got)
			}
			outcomes, err := s.Do(t.Context(), finish(Ref{ID: "1", Environment: "staging"}, ""))
			if err != nil || outcomes[0].Deployment.DeployedAt.UnixMilli() != 1772611200000 {
				t.Error(outcomes, err)
			}
			path = databaseAt(t, version)
			if err := openStore(t, path, Options{}).Close(); err != nil {
				t.Fatal(err)
			}
			expect(t, dump(t, path), want)
		})
	}
}

func TestDatabasesThatAreRefused(t *testing.T) {
	newest := len(steps(t))
	for _, test := range []struct {
		name    string
		content []string
		want    string
	}{
		{
			"of a newer em-metrics",
			append(steps(t), fmt.Sprintf("PRAGMA user_version = %d", newest+1)),
			fmt.Sprintf("the database has schema version %d and this em-metrics knows only %d: "+
				"start a newer em-metrics, or restore the backup made before the upgrade", newest+1, newest),
		},
		{
			"of another program",
			[]string{"CREATE TABLE recipes (name TEXT)", "INSERT INTO recipes VALUES ('soup')"},
			"the file is the database of another program " +
				"(it has tables but no em-metrics schema version): name another file",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "em-metrics.db")
			execute(t, visitor(t, path), test.content...)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), path, Options{})
			if err == nil || err.Error() != "open store "+path+": "+test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
				t.Error("the file was changed", err)
			}
		})
	}
}

// A migration that fails half-way leaves the file as it was.
func TestMigrationIsAllOrNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "em-metrics.db")
	other := visitor(t, path)
	execute(t, other, "CREATE VIEW incidents AS SELECT 1") // in the way of the second table
	before := dump(t, path)
	_, err := Open(t.Context(), path, Options{})
	if err == nil || !strings.Contains(err.Error(), "apply migrations/0001_events.sql: ") {
		t.Error(err)
	}
	expect(t, dump(t, path), before)
	execute(t, other, "DROP VIEW incidents")
	if err := openStore(t, path, Options{}).Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// openHere is set in the processes that TestProcessesOpeningAtOnce starts.
const openHere = "EM_METRICS_TEST_OPEN_HERE"

func TestProcessesOpeningAtOnce(t *testing.T) {
	if path := os.Getenv(openHere); path != "" {
		s := openStore(t, path, Options{})
		id := fmt.Sprintf("web/prod/%d", os.Getpid())
		if _, err := s.Do(t.Context(), start(id, "08:00", "09:00"), finish(refTo(id), "09:30")); err != nil {
			t.Fatal(err)
		}
		return
	}
	for range 3 {
		path := filepath.Join(t.TempDir(), "em-metrics.db")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesOpeningAtOnce$")
				process.Env = append(os.Environ(), openHere+"="+path)
				if output, err := process.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, output)
				}
			})
		}
		wg.Wait()
		if got := len(events(t, openStore(t, path, Options{}))); got != 8 {
			t.Errorf("%d events of four processes with two each", got)
		}
	}
}

func TestStoresOpeningAtOnce(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "em-metrics.db")
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				s, err := Open(t.Context(), path, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Do(t.Context(), start(fmt.Sprintf("web/prod/%d", n), "08:00", "09:00")); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := len(events(t, openStore(t, path, Options{}))); got != 4 {
			t.Errorf("%d events of four stores with one each", got)
		}
	}
}
