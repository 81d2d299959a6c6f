package main

import (
	"crypto/sha256"
	"database/sql"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// legacySchema is the one of the older service: all texts, dates that are made
// up when none is given, and two tables that have no counterpart here.
const legacySchema = `
CREATE TABLE deployments (id TEXT PRIMARY KEY, project_id TEXT, deploy_start_at TEXT DEFAULT CURRENT_TIMESTAMP,
	deployed_at TEXT DEFAULT CURRENT_TIMESTAMP, first_commit_at TEXT);
CREATE TABLE incidents (id TEXT PRIMARY KEY, project_id TEXT, deployment_id TEXT REFERENCES deployments (id),
	started_at TEXT DEFAULT CURRENT_TIMESTAMP, restored_at TEXT, finished_at TEXT);
ALTER TABLE incidents ADD COLUMN team_id TEXT;
CREATE TABLE tickets (id TEXT PRIMARY KEY, team_id TEXT);
CREATE TABLE pull_requests (id TEXT PRIMARY KEY, team_id TEXT);
`

// legacyContent is what such a file can hold: first rows as they should be,
// and then each way in which its rows are awkward.
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

// legacyFile makes a database of the older service.
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

// legacyTotals are the counters and sums that legacyContent must give. Each
// sum is written as the durations that it is made of.
func legacyTotals() map[string]float64 {
	totals := map[string]float64{}
	for series, values := range map[string][2]float64{ // of shop, of site
		"deployment_started_total":   {10, 1}, // of 17, two were not finished
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
		// the same, without the two whose start cannot be right
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

// expectTotals compares in both directions.
func expectTotals(t *testing.T, want, got map[string]float64) {
	t.Helper()
	for series, value := range want {
		if shown, ok := got[series]; !ok || math.Abs(shown-value) > 1e-6 {
			t.Errorf("%s is %v (%v), want %v", series, shown, ok, value)
		}
	}
	for series, shown := range got {
		if _, ok := want[series]; !ok && shown != 0 && isOurs(series) {
			t.Errorf("%s is %v, want none", series, shown)
		}
	}
}

func TestMigrateLegacyGivesTheRightTotalsOnce(t *testing.T) {
	file := legacyFile(t, legacySchema, legacyContent)
	before := checksum(t, file)
	i := startInstance(t)
	env := []string{"EM_METRICS_URL=http://" + i.address, "EM_METRICS_TOKEN_AUTH=" + testToken}

	stdout, stderr, code := command(t, env, "migrate-legacy", "-dry-run", "-environment", "old", file)
	if code != 0 || !strings.Contains(stdout, "19 would be sent; this was a dry run, and nothing was") {
		t.Fatalf("the dry run exited with %d: %s%s", code, stdout, stderr)
	}
	expectTotals(t, nil, i.metrics())
	dryReport := stderr

	for _, summary := range []string{": 19 of them new, 0 refused", ": 0 of them new, 0 refused"} {
		stdout, stderr, code = command(t, env, "migrate-legacy", "-environment", "old", file)
		if code != 0 || !strings.Contains(stdout, summary) {
			t.Fatalf("migrate-legacy exited with %d: %s%s", code, stdout, stderr)
		}
		if stderr != dryReport {
			t.Errorf("the report differs from that of the dry run:\n%s\n%s", stderr, dryReport)
		}
		expectTotals(t, legacyTotals(), i.metrics())
	}
	expectReport(t, stdout, stderr)
	if checksum(t, file) != before {
		t.Error("the older database was changed")
	}
	if left, _ := filepath.Glob(file + "-*"); len(left) > 0 {
		t.Errorf("beside the older database lie %v", left)
	}
}

// expectReport checks that every awkward row is named, with what is wrong.
func expectReport(t *testing.T, stdout, stderr string) {
	t.Helper()
	for _, want := range []string{
		"deployment ms of project shop: repaired: first_commit_at was a number of milliseconds since 1970",
		"deployment ms of project shop: repaired: deploy_start_at was a number of milliseconds",
		"deployment sec of project shop: repaired: first_commit_at was a number of seconds",
		"deployment local of project shop: repaired: deployed_at had no time zone and was read as UTC",
		"deployment unfinished of project shop: repaired: deployed_at is the start",
		"deployment defaults of project shop: repaired: deployed_at is the start",
		"deployment late-start of project shop: repaired: deploy_start_at is after deployed_at: no duration",
		"deployment late-commit of project shop: repaired: first_commit_at is after deploy_start_at",
		"deployment before-commit of project shop: left out: first_commit_at is after the deployment",
		"deployment no-commit of project shop: left out: first_commit_at is not there",
		`deployment nonsense of project shop: left out: deployed_at cannot be read ("yesterday" is not a date)`,
		"deployment future of project shop: left out: it lies in the future",
		"deployment no-project of project : left out: it has no project_id",
		"deployment  of project shop: left out: it has no id",
		"incident ms of project shop: repaired: restored_at was a number of milliseconds",
		"incident unknown of project shop: repaired: its deployment is unknown: recorded without it (gone)",
		"incident foreign of project site: repaired: its deployment is of another project",
		"incident orphan of project shop: repaired: its deployment is left out",
		"incident reversed of project shop: left out: restored_at is before started_at",
		"incident reopened of project shop: repaired: finished_at is before restored_at",
		"incident never of project shop: left out: started_at is not there",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("nothing says %q:\n%s", want, stderr)
		}
	}
	for _, want := range []string{
		"legacy.db holds 17 deployments and 10 incidents",
		"     2 repaired, deployment: deployed_at is the start",
		"     1 left out, incident: restored_at is before started_at",
		"     1 incidents named a team", "     1 rows of tickets stay behind", "     2 rows of pull_requests stay behind",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the summary does not say %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stderr, "clocks") {
		t.Errorf("a minute of disorder is no repair: %s", stderr)
	}
}

func TestMigrateLegacyKeepsWhatItIsToldToKeep(t *testing.T) {
	file := legacyFile(t, legacySchema, legacyContent)
	i := startInstance(t)
	env := []string{"EM_METRICS_URL=http://" + i.address, "EM_METRICS_TOKEN_AUTH=" + testToken}
	stdout, stderr, code := command(t, env, "migrate-legacy", "-count-instant", "-first-commit-from-start", file)
	if code != 0 {
		t.Fatalf("migrate-legacy exited with %d: %s%s", code, stdout, stderr)
	}
	got := i.metrics()
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

// The service may have made up an id since that the older one made up too; a
// deployment that both know stays as the service recorded it.
func TestMigrateLegacyIntoAServiceInUse(t *testing.T) {
	file := legacyFile(t, legacySchema, legacyContent)
	i := startInstance(t)
	i.mustPost("/incidents", `{"project_id": "shop", "started_at": "2026-01-31T09:00:00Z"}`)
	i.mustPost("/deployments/1/deployed", `{"create_if_not_exists": true, "project_id": "shop",
		"first_commit_at": "2024-01-31T09:00:00Z", "deployed_at": "2024-01-31T12:10:01Z"}`)
	env := []string{"EM_METRICS_URL=http://" + i.address, "EM_METRICS_TOKEN_AUTH=" + testToken}
	for range 2 {
		stdout, stderr, code := command(t, env, "migrate-legacy", file)
		if code != 1 || !strings.Contains(stdout, " 1 refused") {
			t.Errorf("exit code %d, want 1: %s", code, stdout)
		}
		for _, want := range []string{
			"deployment 1 of project shop: refused: ", "deployed_at is already recorded as 2024-01-31T12:10:01.000Z",
			"incident incident_shop_1 of project shop: repaired: another incident has its id",
			"(legacy_incident_shop_1)", "1 of 19 were refused; the others are stored",
		} {
			if !strings.Contains(stderr, want) {
				t.Errorf("nothing says %q: %s", want, stderr)
			}
		}
		got := i.metrics()
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

func TestMigrateLegacyRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(dir, "ours.db")
	startInstance(t, "SQLITE_DB="+ours)
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no file":      {[]string{filepath.Join(dir, "none.db")}, 1, "none.db: no such file"},
		"a folder":     {[]string{dir}, 1, "is a folder"},
		"no database":  {[]string{text}, 1, "file is not a database"},
		"another one":  {[]string{legacyFile(t, "CREATE TABLE deployments (id TEXT)")}, 1, "it is not a database of the older service: it has no column"},
		"our own":      {[]string{ours}, 1, "it is a database of this em-metrics"},
		"no argument":  {nil, 2, "name one file"},
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
		t.Error("a file was made")
	}
}

// A database of before the column team_id and the other tables is read too.
func TestMigrateLegacyReadsTheFirstSchema(t *testing.T) {
	first, _, _ := strings.Cut(legacySchema, "ALTER TABLE")
	s, err := readLegacy(t.Context(), legacyFile(t, first, `INSERT INTO incidents (id, project_id) VALUES ('1', 'shop')`))
	if err != nil || len(s.incidents) != 1 || s.incidents[0].project != "shop" || len(s.others) != 0 {
		t.Errorf("read %+v (%v)", s, err)
	}
}

func TestLegacyDates(t *testing.T) {
	const moment = "2024-01-31T08:30:00Z"
	for text, remark := range map[string]string{
		"2024-01-31T08:30:00Z":                    "",
		"2024-01-31T09:30:00.000+01:00":           "",
		"2024-01-31T09:30:00+0100":                "",
		"2024-01-31 09:30:00 +0100":               "",
		"Wed Jan 31 09:30:00 2024 +0100":          "",
		"Wed, 31 Jan 2024 08:30:00 GMT":           "",
		"Wed, 31 Jan 2024 09:30:00 +0100":         "",
		"Wed Jan 31 2024 09:30:00 GMT+0100 (CET)": "",
		"1706689800":                              inSeconds,
		"1706689800000":                           inMilliseconds,
		"1706689800000.0":                         inMilliseconds,
		"1.7066898e12":                            inMilliseconds,
		"2024-01-31 08:30:00":                     withoutZone,
		"2024-01-31T08:30":                        withoutZone,
		" 2024-01-31T08:30:00.000Z ":              "",
	} {
		at, got, err := legacyDate(text)
		if err != nil || got != remark || at.Format(time.RFC3339Nano) != moment {
			t.Errorf("%q is read as %s, %q (%v)", text, at, got, err)
		}
	}
	for _, text := range []string{"soon", "2024", "-1", "NaN", "Inf", "1e300", "0001-01-01T00:00:00Z", "1969-12-31T00:00:00Z", "31.01.2024"} {
		if at, _, err := legacyDate(text); err == nil {
			t.Errorf("%q is read as %s", text, at)
		}
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
