package sample

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

// Every year is plausible, whatever its end and seed.
func TestEveryYearIsPlausible(t *testing.T) {
	ends := []time.Time{
		time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), // in the freeze
		time.Date(2028, 2, 29, 12, 0, 0, 0, time.FixedZone("", 2*3600)),
	}
	for _, end := range ends {
		for seed := range uint64(20) {
			var b bytes.Buffer
			if err := Write(&b, end, seed); err != nil {
				t.Fatal(err)
			}
			checkYear(t, decode(t, b.Bytes()), end)
			if t.Failed() {
				t.Fatalf("in the year that ends %s with seed %d", end, seed)
			}
		}
	}
}

func decode(t *testing.T, text []byte) (lines []Line) {
	t.Helper()
	for line := range bytes.Lines(text) {
		var l Line
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

type key struct{ project, environment, id string }

// check reads a year line by line and counts what happened in it.
type check struct {
	*testing.T
	begin, end, last      time.Time
	deployed, incidents   map[key]bool
	failed                map[key]bool
	perProject, failures  map[string]int
	fixes, open, unlinked int
}

func checkYear(t *testing.T, lines []Line, end time.Time) {
	t.Helper()
	c := check{
		T: t, begin: end.AddDate(-1, 0, -1), end: end,
		deployed: map[key]bool{}, incidents: map[key]bool{}, failed: map[key]bool{},
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
	if len(c.perProject) != 5 || c.open < 1 || c.open > 4 || c.unlinked < 2 || c.fixes < 5 {
		t.Errorf("%d projects, %d open incidents, %d without a deployment, %d fixes", len(c.perProject), c.open, c.unlinked, c.fixes)
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

func (c *check) deployment(l Line) {
	key := key{l.ProjectID, l.Environment, l.ID}
	if c.deployed[key] || l.ID == "" || l.User == "" {
		c.Errorf("repeated or unnamed deployment: %+v", l)
	}
	c.deployed[key] = true
	c.inOrder(l, c.begin, l.DeployStartAt, l.DeployedAt, c.end)
	c.inOrder(l, time.Unix(0, 0), l.FirstCommitAt, l.DeployStartAt)
	c.inOrder(l, c.last, l.DeployedAt)
	c.last = l.DeployedAt
	if l.Rework {
		c.fixes++
	} else if weekend(l.DeployStartAt) || frozen(l.DeployStartAt) {
		c.Errorf("deployment on a day off: %+v", l)
	}
	if l.Environment == "production" {
		c.perProject[l.ProjectID]++
	}
}

func (c *check) incident(l Line) {
	key, cause := key{l.ProjectID, l.Environment, l.ID}, key{l.ProjectID, l.Environment, l.DeploymentID}
	if c.incidents[key] || l.ID == "" || l.User == "" {
		c.Errorf("repeated or unnamed incident: %+v", l)
	}
	c.incidents[key] = true
	switch {
	case l.DeploymentID == "":
		c.unlinked++
	case !c.deployed[cause]:
		c.Errorf("incident caused by a deployment that does not exist yet: %+v", l)
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

func (c *check) inOrder(l Line, dates ...time.Time) {
	c.Helper()
	if !slices.IsSortedFunc(dates, time.Time.Compare) {
		c.Errorf("dates %v are not in order: %+v", dates, l)
	}
}

// Overlapping years agree, so sending the sample again brings a demo up to date:
// open incidents may be restored and finished, and nothing else changes.
func TestLaterYearContradictsNothing(t *testing.T) {
	end := time.Date(2026, 3, 4, 15, 30, 0, 0, time.UTC)
	before := map[string]Line{}
	for _, l := range newYear(end, DefaultSeed).lines() {
		before[l.Kind+"/"+l.ProjectID+"/"+l.Environment+"/"+l.ID] = l
	}
	same := 0
	for _, now := range newYear(end.Add(30*time.Hour), DefaultSeed).lines() {
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
			t.Errorf("was %+v\nnow %+v", then, now)
		}
	}
	if same < len(before)*95/100 {
		t.Errorf("only %d of %d events are in the year that ends a day later", same, len(before))
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteReturnsTheErrorOfTheWriter(t *testing.T) {
	err := Write(fullDisk{}, time.Now(), DefaultSeed)
	if err == nil || err.Error() != "write the sample: no space left" {
		t.Error(err)
	}
}
