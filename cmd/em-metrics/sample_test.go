package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/sample.jsonl anew")

const sampleFile = "testdata/sample.jsonl"

// The file in the repository ends on a fixed date, so that tests and documents
// can rely on it.
func TestSampleFileIsWhatTheGeneratorPrints(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := sample([]string{"-end", "2026-04-01"}, &stdout, &stderr, time.Now()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(sampleFile, stdout.Bytes(), 0o644); err != nil { //nolint:gosec // for everybody to read
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, stdout.Bytes()) {
		t.Errorf("%s differs from the generator: run go test ./cmd/em-metrics -run Sample -update", sampleFile)
	}
}

// Whenever a year ends and whatever its seed, it is one that could have been.
func TestSampleIsBelievable(t *testing.T) {
	ends := []time.Time{
		time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), // in the freeze
		time.Date(2028, 2, 29, 12, 0, 0, 0, time.FixedZone("", 2*3600)),
	}
	for _, end := range ends {
		for seed := range uint64(20) {
			var b bytes.Buffer
			if err := writeSample(&b, end, seed); err != nil {
				t.Fatal(err)
			}
			checkSample(t, decodeSample(t, b.Bytes()), end)
			if t.Failed() {
				t.Fatalf("the year that ends %s with seed %d", end, seed)
			}
		}
	}
}

func decodeSample(t *testing.T, text []byte) (lines []sampleLine) {
	t.Helper()
	for line := range bytes.Lines(text) {
		var l sampleLine
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

type sampleKey struct{ project, environment, id string }

// sampleCheck goes through a year and counts.
type sampleCheck struct {
	*testing.T
	begin, end, last     time.Time
	deployed, incidents  map[sampleKey]bool
	failed               map[sampleKey]bool
	perProject, failures map[string]int
	rework, open, alone  int
}

func checkSample(t *testing.T, lines []sampleLine, end time.Time) {
	t.Helper()
	c := sampleCheck{
		T: t, begin: end.AddDate(-1, 0, -1), end: end,
		deployed: map[sampleKey]bool{}, incidents: map[sampleKey]bool{}, failed: map[sampleKey]bool{},
		perProject: map[string]int{}, failures: map[string]int{},
	}
	for _, l := range lines {
		switch l.Kind {
		case "deployment":
			c.deployment(l)
		case "incident":
			c.incident(l)
		default:
			t.Errorf("kind %q", l.Kind)
		}
	}
	if len(lines) < 900 || len(lines) > 1500 {
		t.Errorf("%d lines", len(lines))
	}
	if len(c.perProject) != 5 || c.open < 1 || c.open > 4 || c.alone < 2 || c.rework < 5 {
		t.Errorf("%d projects, %d open incidents, %d without a deployment, %d repairs", len(c.perProject), c.open, c.alone, c.rework)
	}
	for project, n := range c.perProject {
		if share := float64(c.failures[project]) / float64(n); share > 0.35 {
			t.Errorf("%d of %d deployments of %s failed", c.failures[project], n, project)
		}
	}
	if share := float64(len(c.failed)) / float64(len(c.deployed)); share < 0.03 || share > 0.20 {
		t.Errorf("%d of %d deployments failed", len(c.failed), len(c.deployed))
	}
}

func (c *sampleCheck) deployment(l sampleLine) {
	key := sampleKey{l.ProjectID, l.Environment, l.ID}
	if c.deployed[key] || l.ID == "" || l.User == "" {
		c.Errorf("a deployment a second time, or without a name: %+v", l)
	}
	c.deployed[key] = true
	c.inOrder(l, c.begin, l.DeployStartAt, l.DeployedAt, c.end)
	c.inOrder(l, time.Unix(0, 0), l.FirstCommitAt, l.DeployStartAt)
	c.inOrder(l, c.last, l.DeployedAt)
	c.last = l.DeployedAt
	if l.Rework {
		c.rework++
	} else if weekend(l.DeployStartAt) || frozen(l.DeployStartAt) {
		c.Errorf("deployed on a day off: %+v", l)
	}
	if l.Environment == "production" {
		c.perProject[l.ProjectID]++
	}
}

func (c *sampleCheck) incident(l sampleLine) {
	key, cause := sampleKey{l.ProjectID, l.Environment, l.ID}, sampleKey{l.ProjectID, l.Environment, l.DeploymentID}
	if c.incidents[key] || l.ID == "" || l.User == "" {
		c.Errorf("an incident a second time, or without a name: %+v", l)
	}
	c.incidents[key] = true
	switch {
	case l.DeploymentID == "":
		c.alone++
	case !c.deployed[cause]:
		c.Errorf("caused by a deployment that is not there yet: %+v", l)
	case !c.failed[cause]:
		c.failed[cause] = true
		c.failures[l.ProjectID]++
	}
	c.inOrder(l, c.begin, l.StartedAt, c.end)
	c.inOrder(l, c.last, l.StartedAt)
	c.last = l.StartedAt
	switch {
	case l.RestoredAt.IsZero():
		c.open++
		c.inOrder(l, l.FinishedAt, time.Time{})
	case l.FinishedAt.IsZero():
		c.inOrder(l, l.StartedAt, l.RestoredAt, c.end)
	default:
		c.inOrder(l, l.StartedAt, l.RestoredAt, l.FinishedAt, c.end)
	}
}

func (c *sampleCheck) inOrder(l sampleLine, dates ...time.Time) {
	c.Helper()
	if !slices.IsSortedFunc(dates, time.Time.Compare) {
		c.Errorf("dates not in order: %v of %+v", dates, l)
	}
}

// Years that overlap agree, so a demonstration can be brought up to date by
// sending the sample again: incidents that were open get on, nothing else does.
func TestSamplesOfLaterDaysContradictNothing(t *testing.T) {
	end := time.Date(2026, 3, 4, 15, 30, 0, 0, time.UTC)
	before := map[string]sampleLine{}
	for _, l := range newSampleYear(end, sampleSeed).lines() {
		before[l.Kind+"/"+l.ProjectID+"/"+l.Environment+"/"+l.ID] = l
	}
	same := 0
	for _, now := range newSampleYear(end.Add(30*time.Hour), sampleSeed).lines() {
		then, known := before[now.Kind+"/"+now.ProjectID+"/"+now.Environment+"/"+now.ID]
		if !known {
			continue
		}
		same++
		if then.RestoredAt.IsZero() {
			now.RestoredAt = time.Time{}
		}
		if then.FinishedAt.IsZero() {
			now.FinishedAt = time.Time{}
		}
		if then != now {
			t.Errorf("was %+v\n now %+v", then, now)
		}
	}
	if same < len(before)*95/100 {
		t.Errorf("only %d of %d are still there a day later", same, len(before))
	}
}

func TestSampleArguments(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		args   []string
		err    error
		stdout string // how it begins
		stderr string
	}{
		{"help", []string{"-h"}, flag.ErrHelp, sampleHelp, ""},
		{"wrong date", []string{"-end", "tomorrow"}, errUsage, "", "Error: invalid value \"tomorrow\" for flag -end: " +
			"it must be a date such as 2026-04-01 or 2026-04-01T12:00:00Z\nTry:   em-metrics sample --help\n"},
		{"wrong seed", []string{"-seed", "-1"}, errUsage, "", "Error: invalid value \"-1\" for flag -seed: parse error\n" +
			"Try:   em-metrics sample --help\n"},
		{"too much", []string{"year.jsonl"}, errUsage, "", "Error: \"year.jsonl\" is too much: sample takes only flags\n" +
			"Try:   em-metrics sample --help\n"},
		{"none: the year ends now", nil, nil, `{"kind":"deployment",`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := sample(test.args, &stdout, &stderr, now)
			if !errors.Is(err, test.err) || !strings.HasPrefix(stdout.String(), test.stdout) || stderr.String() != test.stderr {
				t.Errorf("got error %v\nstdout %.200s\nstderr %s", err, stdout.String(), stderr.String())
			}
			if err == nil {
				checkSample(t, decodeSample(t, stdout.Bytes()), now)
			}
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestSampleReportsThatItCannotWrite(t *testing.T) {
	err := writeSample(fullDisk{}, time.Now(), sampleSeed)
	if err == nil || err.Error() != "write the sample: no space left" {
		t.Error(err)
	}
}
