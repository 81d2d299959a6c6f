package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

const unfinishedIncidents = `
INSERT INTO incidents (id, project_id, started_at, restored_at, finished_at) VALUES
	('closed', 'shop', '2024-01-31T12:00:00.000Z', '2024-01-31T13:00:00.000Z', '2024-01-31T14:00:00.000Z'),
	('open', 'shop', '2024-01-31T12:30:00.000Z', NULL, NULL),
	('restored', 'shop', '2024-01-31T12:00:00.000Z', '2024-01-31T13:00:00.000Z', NULL);
`

// The older service stored nothing when an incident was finished without a date.
// Such incidents are reported, and an option closes them, also after a migration
// without it.
func TestMigrateLegacyReportsUnfinishedIncidents(t *testing.T) {
	file := legacyFile(t, legacySchema, unfinishedIncidents)
	s := programtest.StartService(t)
	for _, test := range []struct {
		args               []string
		report             []string
		restored, finished float64
	}{
		{[]string{file}, []string{
			"incident open of project shop: unclear: it is not finished and stays open, unless it was finished without a date, " +
				"which the older service did not store (last known date 2024-01-31T12:30:00Z)",
			"incident restored of project shop: unclear: it is restored and not finished, unless it was finished without a date, " +
				"which the older service did not store (last known date 2024-01-31T13:00:00Z)",
		}, 2, 1},
		{[]string{"-close-unfinished", file}, []string{
			"incident open of project shop: repaired: it was not finished: closed at its last known date (last known date 2024-01-31T12:30:00Z)",
			"incident restored of project shop: repaired: it was not finished: closed at its last known date (last known date 2024-01-31T13:00:00Z)",
		}, 3, 3},
	} {
		stdout, stderr, code := s.Run(append([]string{"migrate-legacy"}, test.args...)...)
		if want := strings.Join(test.report, "\n") + "\n"; code != 0 || stderr != want {
			t.Errorf("exit code %d, %s%s, want %s", code, stdout, stderr, want)
		}
		got := s.Metrics()
		for series, want := range map[string]float64{
			`incident_count_total{environment="NO_ENV", project_id="shop"}`:    3,
			`incident_restored_total{environment="NO_ENV", project_id="shop"}`: test.restored,
			`incident_finished_total{environment="NO_ENV", project_id="shop"}`: test.finished,
		} {
			if got[series] != want {
				t.Errorf("%v: %s is %v, want %v", test.args, series, got[series], want)
			}
		}
	}
}

// What the service would reject is skipped, so that the dry run reports it too.
func TestMigrateLegacyDryRunRefusesWhatTheServiceWould(t *testing.T) {
	file := legacyFile(t, legacySchema, `
		INSERT INTO deployments (id, project_id, first_commit_at, deploy_start_at, deployed_at) VALUES
			('1' || char(10), 'shop', '2024-01-31T09:00:00Z', '2024-01-31T12:00:00Z', '2024-01-31T12:10:00Z'),
			('2', printf('%.300c', 'x'), '2024-01-31T09:00:00Z', '2024-01-31T12:00:00Z', '2024-01-31T12:10:00Z'),
			('3', 'shop', '2024-01-31T09:00:00Z', '2024-01-31T12:00:00Z', '2024-01-31T12:10:00Z');
		INSERT INTO incidents (id, project_id, started_at, finished_at) VALUES ('a' || char(0), 'shop', '2024-01-31T12:00:00Z', '2024-01-31T12:00:00Z');`)
	s := programtest.StartService(t)
	stdout, dryReport, code := s.Run("migrate-legacy", "-dry-run", file)
	if code != 0 || !strings.Contains(stdout, "1 would be sent") || strings.Count(dryReport, " is not a name that em-metrics accepts (") != 3 {
		t.Errorf("exit code %d: %s%s", code, stdout, dryReport)
	}
	stdout, report, code := s.Run("migrate-legacy", file)
	if code != 0 || !strings.Contains(stdout, ": 1 new, 0 rejected") || report != dryReport {
		t.Errorf("exit code %d: %s%s, want %s", code, stdout, report, dryReport)
	}
	for _, dryRun := range []string{"-dry-run", "-dry-run=false"} {
		_, stderr, code := s.Run("migrate-legacy", dryRun, "-environment", " ", file)
		if code != 2 || !strings.Contains(stderr, "-environment must not be empty") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	}
}

// The older service is killed with its newest rows in the write-ahead log. A copy
// without it lacks them.
func TestMigrateLegacyNoticesAMissingLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "legacy.db")
	pool, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close() // not before the copies are made, which would write the log back
	for _, statement := range []string{legacySchema, "PRAGMA wal_checkpoint(TRUNCATE)", unfinishedIncidents} {
		if _, err := pool.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	complete, alone := filepath.Join(t.TempDir(), "old.db"), filepath.Join(t.TempDir(), "old.db")
	copyFile(t, file, complete)
	copyFile(t, file+"-wal", complete+"-wal")
	copyFile(t, file, alone)

	s := programtest.StartService(t)
	if stdout, stderr, code := s.Run("migrate-legacy", "-dry-run", complete); code != 0 || !strings.Contains(stdout, " 3 incidents") {
		t.Errorf("with its log: exit code %d: %s%s", code, stdout, stderr)
	}
	want := "Error: read " + alone + ": " + alone + "-wal is missing or empty: the older service leaves its newest rows in that file when it is stopped\n" +
		"Try:   copy that file too or, if there is none beside the original, use -without-wal\n"
	for _, args := range [][]string{{"-dry-run", alone}, {alone}, {alone}} {
		if _, stderr, code := s.Run(append([]string{"migrate-legacy"}, args...)...); code != 1 || stderr != want {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	if stdout, stderr, code := s.Run("migrate-legacy", "-without-wal", alone); code != 0 || !strings.Contains(stdout, " 0 incidents") {
		t.Errorf("without its log: exit code %d: %s%s", code, stdout, stderr)
	}
	if left, _ := filepath.Glob(alone + "-*"); len(left) > 0 {
		t.Errorf("there are files beside the older database: %v", left)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
