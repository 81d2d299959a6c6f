package main

import (
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// legacySchema is the schema of the older service: every column is text, dates
// have defaults, and two tables have no counterpart here.
const legacySchema = `
CREATE TABLE deployments (id TEXT PRIMARY KEY, project_id TEXT, deploy_start_at TEXT DEFAULT CURRENT_TIMESTAMP,
	deployed_at TEXT DEFAULT CURRENT_TIMESTAMP, first_commit_at TEXT);
CREATE TABLE incidents (id TEXT PRIMARY KEY, project_id TEXT, deployment_id TEXT REFERENCES deployments (id),
	started_at TEXT DEFAULT CURRENT_TIMESTAMP, restored_at TEXT, finished_at TEXT);
ALTER TABLE incidents ADD COLUMN team_id TEXT;
CREATE TABLE tickets (id TEXT PRIMARY KEY, team_id TEXT);
CREATE TABLE pull_requests (id TEXT PRIMARY KEY, team_id TEXT);
`

// legacyContent has regular rows first, and then a row for each problem that such
// a file can have.
const legacyContent = `
INSERT INTO deployments (id, project_id, first_commit_at, deploy_start_at, deployed_at) VALUES
	('1', 'shop', '2024-01-31T09:00:00Z', '2024-01-31T12:00:00Z', '2024-01-31T12:10:00.000Z'),
	('2', 'shop', '2024-02-01 10:00:00 +0100', '2024-02-01T10:00:00.000Z', '2024-02-01T10:05:00.000Z'),
	('a/b', 'site', 'Thu Feb 1 08:00:00 2024 +0100', '2024-02-01T09:00:00.000Z', '2024-02-01T09:30:00.000Z'),
	('ms', 'shop', 1706778000000.0, '1706778600000', '2024-02-01T09:20:00.000Z'),
	('sec', 'shop', '1706778000', '2024-02-01T09:10:00.000Z', '2024-02-01T09:20:00.000Z'),
	('local', 'shop', '2024-02-02 09:00:00', '2024-02-02 10:00:00', '2024-02-02 10:10:00'),
	('unfinished', 'shop', '2024-02-03T09:00:00Z', '2024-02-03T10:00:00.120Z', '2024-02-03T10:00:00.121Z'),
	('late-start', 'shop', '2024-02-04T09:00:00Z', '2024-02-04T11:00:00Z', '2024-02-04T10:00:00.000Z'),
	('late-commit', 'shop', '2024-02-05T09:30:00Z', '2024-02-05T09:00:00Z', '2024-02-05T10:00:00.000Z'),
	('before-commit', 'shop', '2024-02-07T09:00:00Z', '2024-02-06T09:00:00Z', '2024-02-06T10:00:00.000Z'),
	('clocks', 'shop', '2024-02-08T10:01:00Z', '2024-02-08T10:01:00Z', '2024-02-08T10:00:00.000Z'),
	('no-commit', 'shop', NULL, '2024-02-09T09:00:00Z', '2024-02-09T10:00:00.000Z'),
	('nonsense', 'shop', '2024-02-09T08:00:00Z', '2024-02-09T09:00:00Z', 'yesterday'),
	('future', 'shop', '2024-02-09T08:00:00Z', '2999-02-09T09:00:00Z', '2999-02-09T10:00:00Z'),
	('no-project', NULL, '2024-02-09T08:00:00Z', '2024-02-09T09:00:00Z', '2024-02-09T10:00:00Z'),
	(NULL, 'shop', '2024-02-09T08:00:00Z', '2024-02-09T09:00:00Z', '2024-02-09T10:00:00Z');
INSERT INTO deployments (id, project_id, first_commit_at) VALUES ('defaults', 'shop', '2024-02-10T08:00:00Z');
INSERT INTO incidents (id, project_id, deployment_id, started_at, restored_at, finished_at, team_id) VALUES
	('incident_shop_1', 'shop', '1', '2024-01-31T12:30:00.000Z', '2024-01-31T13:00:00.000Z', '2024-02-01', 'blue'),
	('incident_shop_2', 'shop', '1', '2024-01-31T14:10:00.000Z', NULL, NULL, NULL),
	('closed', 'site', 'a/b', '2024-02-01T10:00:00.000Z', NULL, '2024-02-01T10:20:00Z', NULL),
	('ms', 'shop', NULL, '2024-02-01T10:00:00.000Z', 1706781900000, NULL, NULL),
	('unknown', 'shop', 'gone', '2024-02-02T10:00:00.000Z', '2024-02-02T10:10:00.000Z', NULL, NULL),
	('foreign', 'site', '2', '2024-02-02T11:00:00.000Z', '2024-02-02T11:10:00.000Z', NULL, NULL),
	('orphan', 'shop', 'before-commit', '2024-02-06T12:00:00.000Z', '2024-02-06T12:10:00.000Z', NULL, NULL),
	('reversed', 'shop', NULL, '2024-02-02T11:00:00.000Z', '2024-02-02T10:00:00.000Z', NULL, NULL),
	('reopened', 'shop', NULL, '2024-02-02T11:00:00.000Z', '2024-02-02T12:00:00.000Z', '2024-02-02T11:30:00Z', NULL),
	('never', 'shop', NULL, NULL, NULL, NULL, NULL);
INSERT INTO tickets VALUES ('T-1', 'blue');
INSERT INTO pull_requests VALUES ('7', 'blue'), ('8', 'blue');
`

// legacyFile creates a database of the older service.
func legacyFile(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "legacy.db")
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=foreign_keys(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, s := range statements {
		if _, err := pool.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// legacyTotals returns the counters and sums that follow from legacyContent. Each
// sum is written as the durations that it consists of.
func legacyTotals() map[string]float64 {
	totals := map[string]float64{}
	for series, values := range map[string][2]float64{ // of shop, of site
		"deployment_started_total":   {10, 1}, // of 17, two are unfinished
		"deployment_frequency_total": {8, 1},
		"change_failure_count_total": {1, 1},
		"incident_count_total":       {6, 2},
		"incident_restored_total":    {5, 2},
		"incident_finished_total":    {2, 1},
	} {
		totals[series+`{environment="old", project_id="shop"}`] = values[0]
		totals[series+`{environment="old", project_id="site"}`] = values[1]
	}
	for name, minutes := range map[string]struct{ shop, site []float64 }{
		// 1, 2, ms, sec, local, late-start, late-commit, clocks
		"lead_time_for_changes_seconds": {[]float64{190, 65, 20, 20, 70, 60, 30, 0}, []float64{150}},
		// the same, without the two whose start is wrong
		"deployment_duration_seconds": {[]float64{10, 5, 10, 10, 10, 0}, []float64{30}},
		"time_to_detect_seconds":      {[]float64{20, 120}, []float64{30}},
		"time_to_restore_seconds":     {[]float64{30, 5, 10, 10, 60}, []float64{20, 10}},
	} {
		for project, all := range map[string][]float64{"shop": minutes.shop, "site": minutes.site} {
			labels := `{environment="old", project_id="` + project + `"}`
			totals[name+"_count"+labels] = float64(len(all))
			for _, m := range all {
				totals[name+"_sum"+labels] += 60 * m
			}
		}
	}
	return totals
}

func TestMigrateLegacyGivesTheRightTotals(t *testing.T) {
	file := legacyFile(t, legacySchema, legacyContent)
	before := checksum(t, file)
	s := programtest.StartService(t)

	stdout, stderr, code := s.Run("migrate-legacy", "-dry-run", "-environment", "old", file)
	if code != 0 || !strings.Contains(stdout, "19 would be sent; nothing was, because this is a dry run") {
		t.Fatalf("the dry run exited with %d: %s%s", code, stdout, stderr)
	}
	expectTotals(t, nil, s.Metrics())
	dryReport := stderr

	for _, summary := range []string{": 19 new, 0 rejected", ": 0 new, 0 rejected"} {
		stdout, stderr, code = s.Run("migrate-legacy", "-environment", "old", file)
		if code != 0 || !strings.Contains(stdout, summary) {
			t.Fatalf("migrate-legacy exited with %d: %s%s", code, stdout, stderr)
		}
		if stderr != dryReport {
			t.Errorf("the report differs from the one of the dry run:\n%s\n%s", stderr, dryReport)
		}
		expectTotals(t, legacyTotals(), s.Metrics())
	}
	expectReport(t, stdout, stderr)
	if checksum(t, file) != before {
		t.Error("the older database was changed")
	}
	if left, _ := filepath.Glob(file + "-*"); len(left) > 0 {
		t.Errorf("there are files beside the older database: %v", left)
	}
}

// expectReport checks that the report names every problem of legacyContent.
func expectReport(t *testing.T, stdout, stderr string) {
	t.Helper()
	for _, want := range []string{
		"deployment ms of project shop: repaired: first_commit_at was a number of milliseconds since 1970",
		"deployment ms of project shop: repaired: deploy_start_at was a number of milliseconds",
		"deployment sec of project shop: repaired: first_commit_at was a number of seconds",
		"deployment local of project shop: repaired: deployed_at had no time zone and was read as UTC",
		"deployment unfinished of project shop: repaired: deployed_at equals the start",
		"deployment defaults of project shop: repaired: deployed_at equals the start",
		"deployment late-start of project shop: repaired: deploy_start_at is after deployed_at: no duration",
		"deployment late-commit of project shop: repaired: first_commit_at is after deploy_start_at",
		"deployment before-commit of project shop: skipped: first_commit_at is after the deployment",
		"deployment no-commit of project shop: skipped: first_commit_at is missing",
		`deployment nonsense of project shop: skipped: deployed_at is not readable ("yesterday" is not a date)`,
		"deployment future of project shop: skipped: it is in the future",
		"deployment no-project of project : skipped: project_id is missing",
		"deployment  of project shop: skipped: id is missing",
		"incident ms of project shop: repaired: restored_at was a number of milliseconds",
		"incident unknown of project shop: repaired: its deployment is unknown: recorded without it (gone)",
		"incident foreign of project site: repaired: its deployment belongs to another project",
		"incident orphan of project shop: repaired: its deployment is skipped",
		"incident reversed of project shop: skipped: restored_at is before started_at",
		"incident reopened of project shop: repaired: finished_at is before restored_at",
		"incident never of project shop: skipped: started_at is missing",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("the report does not contain %q:\n%s", want, stderr)
		}
	}
	for _, want := range []string{
		"legacy.db holds 17 deployments and 10 incidents",
		"     2 repaired, deployment: deployed_at equals the start",
		"     1 skipped, incident: restored_at is before started_at",
		"     1 ignored, team of an incident", "     1 ignored, row of tickets", "     2 ignored, row of pull_requests",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the summary does not contain %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stderr, "clocks") {
		t.Errorf("dates that are a minute out of order need no repair: %s", stderr)
	}
}

func TestMigrateLegacyOptions(t *testing.T) {
	file := legacyFile(t, legacySchema, legacyContent)
	s := programtest.StartService(t)
	stdout, stderr, code := s.Run("migrate-legacy", "-count-instant", "-first-commit-from-start", file)
	if code != 0 {
		t.Fatalf("migrate-legacy exited with %d: %s%s", code, stdout, stderr)
	}
	got := s.Metrics()
	for series, want := range map[string]float64{
		// before-commit and no-commit are kept, unfinished and defaults are deployed
		`deployment_frequency_total{environment="NO_ENV", project_id="shop"}`: 12,
		`deployment_started_total{environment="NO_ENV", project_id="shop"}`:   12,
		// orphan has its deployment back
		`change_failure_count_total{environment="NO_ENV", project_id="shop"}`: 2,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v", series, got[series], want)
		}
	}
}

// Both services may have generated the same id for different incidents. A
// deployment that both have recorded remains as it is.
func TestMigrateLegacyIntoServiceInUse(t *testing.T) {
	file := legacyFile(t, legacySchema, legacyContent)
	s := programtest.StartService(t)
	s.Post("/incidents", `{"project_id": "shop", "started_at": "2026-01-31T09:00:00Z"}`)
	s.Post("/deployments/1/deployed", `{"create_if_not_exists": true, "project_id": "shop",
		"first_commit_at": "2024-01-31T09:00:00Z", "deployed_at": "2024-01-31T12:10:01Z"}`)
	for range 2 {
		stdout, stderr, code := s.Run("migrate-legacy", file)
		if code != 1 || !strings.Contains(stdout, " 1 rejected") {
			t.Errorf("exit code %d, want 1: %s", code, stdout)
		}
		for _, want := range []string{
			"deployment 1 of project shop: rejected: ", "deployed_at is already recorded as 2024-01-31T12:10:01.000Z",
			"incident incident_shop_1 of project shop: repaired: another incident has its id",
			"(legacy_incident_shop_1)", "1 of 19 were rejected; the others are stored",
		} {
			if !strings.Contains(stderr, want) {
				t.Errorf("the report does not contain %q: %s", want, stderr)
			}
		}
		got := s.Metrics()
		for series, want := range map[string]float64{
			`incident_count_total{environment="NO_ENV", project_id="shop"}`:       7,
			`deployment_frequency_total{environment="NO_ENV", project_id="shop"}`: 8,
			`change_failure_count_total{environment="NO_ENV", project_id="shop"}`: 1,
		} {
			if got[series] != want {
				t.Errorf("%s is %v, want %v", series, got[series], want)
			}
		}
	}
}

func TestMigrateLegacyRejectsOtherFiles(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(dir, "ours.db")
	programtest.StartService(t, "SQLITE_DB="+ours)
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no file":      {[]string{filepath.Join(dir, "none.db")}, 1, "none.db: no such file"},
		"a directory":  {[]string{dir}, 1, "is a directory"},
		"no database":  {[]string{text}, 1, "file is not a database"},
		"another one":  {[]string{legacyFile(t, "CREATE TABLE deployments (id TEXT)")}, 1, "not a database of the older service: column"},
		"our own":      {[]string{ours}, 1, "already a database of this em-metrics"},
		"no argument":  {nil, 2, "expected one file"},
		"unknown flag": {[]string{"-fast", text}, 2, "flag provided but not defined: -fast"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := runIn(t, nil, append([]string{"migrate-legacy"}, test.args...)...)
			if code != test.code || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d and %q, want %d and %q", code, stderr, test.code, test.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("a file was created")
	}
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return string(sum[:])
}
