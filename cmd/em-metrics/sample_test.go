package main

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "renew the golden files")

const sampleFile = "testdata/sample.jsonl"

// The file in the repository ends on a fixed date, so that tests and documents
// can rely on it.
func TestSampleFileIsUpToDate(t *testing.T) {
	expectSample(t, sampleFile, "-end", "2026-04-01")
}

// The compose file mounts the teams of the sample.
func TestSampleTeamsFileIsUpToDate(t *testing.T) {
	const file = "../../docs/sample-teams.json"
	expectSample(t, file, "-teams")
	if stdout, stderr, code := runIn(t, []string{"CONFIG=" + file, "EM_METRICS_NO_AUTH=1", "SQLITE_DB=" + t.TempDir() + "/em-metrics.db"}, "config", "check"); code != 0 {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// expectSample compares a file with what em-metrics sample prints.
func expectSample(t *testing.T, sampleFile string, args ...string) {
	t.Helper()
	stdout, stderr, code := runIn(t, nil, append([]string{"sample"}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if *update {
		if err := os.WriteFile(sampleFile, []byte(stdout), 0o644); err != nil { //nolint:gosec // not a secret
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != stdout {
		t.Errorf("%s is out of date: run go test ./cmd/em-metrics -run Sample -update", sampleFile)
	}
}

func TestSampleArguments(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		code   int
		stdout string // how it begins
		stderr string
	}{
		"help": {[]string{"-h"}, 0, sampleHelp, ""},
		"invalid date": {[]string{"-end", "tomorrow"}, 2, "", "Error: invalid value \"tomorrow\" for flag -end: " +
			"must be a date such as 2026-04-01 or 2026-04-01T12:00:00Z\nTry:   em-metrics sample --help\n"},
		"invalid seed": {[]string{"-seed", "-1"}, 2, "", "Error: invalid value \"-1\" for flag -seed: parse error\n" +
			"Try:   em-metrics sample --help\n"},
		"an argument": {[]string{"year.jsonl"}, 2, "", "Error: unexpected argument \"year.jsonl\"\nTry:   em-metrics sample --help\n"},
		"none":        {nil, 0, `{"kind":"deployment",`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runIn(t, nil, append([]string{"sample"}, test.args...)...)
			if code != test.code || !strings.HasPrefix(stdout, test.stdout) || stderr != test.stderr {
				t.Errorf("exit code %d\nstdout %.200s\nstderr %s", code, stdout, stderr)
			}
		})
	}
}
