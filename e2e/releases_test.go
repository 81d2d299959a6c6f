package e2e

import (
	"bufio"
	"cmp"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// This file computes the figures that em-metrics should expose for a file of
// deployments and incidents, in the simplest way: each figure looks at every line.

// entry is a line of the file.
type entry struct {
	Kind          string    `json:"kind"`
	Project       string    `json:"project_id"`
	Environment   string    `json:"environment,omitempty"`
	ID            string    `json:"id"`
	FirstCommitAt time.Time `json:"first_commit_at,omitzero"`
	DeployStartAt time.Time `json:"deploy_start_at,omitzero"`
	DeployedAt    time.Time `json:"deployed_at,omitzero"`
	Rework        bool      `json:"rework,omitempty"`
	DeploymentID  string    `json:"deployment_id,omitempty"`
	StartedAt     time.Time `json:"started_at,omitzero"`
	RestoredAt    time.Time `json:"restored_at,omitzero"`
	FinishedAt    time.Time `json:"finished_at,omitzero"`
}

// times returns the dates of an entry, for changing them.
func (e *entry) times() []*time.Time {
	return []*time.Time{&e.FirstCommitAt, &e.DeployStartAt, &e.DeployedAt, &e.StartedAt, &e.RestoredAt, &e.FinishedAt}
}

// at returns the time of the last date of an entry.
func (e *entry) at() time.Time {
	if e.Kind == "deployment" {
		return e.DeployedAt
	}
	return later(e.StartedAt, later(e.RestoredAt, e.FinishedAt))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// readReleases reads the history of real releases that EM_METRICS_RELEASES names,
// or else the sample in the repository. It shifts the history so that its newest
// entry is about an hour old and no date is within minutes of the edge of a window,
// where the result would depend on the duration of the test.
func readReleases(t *testing.T, windows ...time.Duration) []entry {
	t.Helper()
	file, err := os.Open(cmp.Or(os.Getenv("EM_METRICS_RELEASES"), "../cmd/em-metrics/testdata/sample.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var entries []entry
	var newest time.Time
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var e entry
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Environment != "" && e.Environment != "production" {
			continue
		}
		e.Environment = "" // the default of the service
		entries = append(entries, e)
		newest = later(newest, e.at())
	}
	now := time.Now()
	shift := now.Add(-time.Hour).Sub(newest).Round(time.Second)
	for attempts := 0; nearEdge(entries, shift, now, windows); attempts++ {
		if shift -= time.Minute; attempts == 10_000 {
			t.Fatal("every shift has a date at the edge of a window")
		}
	}
	for i := range entries {
		for _, at := range entries[i].times() {
			if !at.IsZero() {
				*at = at.Add(shift).UTC()
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at().Compare(b.at()) })
	return entries
}

// nearEdge reports whether a date is within minutes of the edge of a window.
func nearEdge(entries []entry, shift time.Duration, now time.Time, windows []time.Duration) bool {
	const margin = 10 * time.Minute
	for i := range entries {
		for _, at := range entries[i].times() {
			if at.IsZero() {
				continue
			}
			for _, window := range windows {
				if d := at.Add(shift).Sub(now.Add(-window)); -margin < d && d < margin {
					return true
				}
			}
		}
	}
	return false
}

// writeLines writes the entries to a file for em-metrics replay. Each deployment
// must come before its incidents.
func writeLines(t *testing.T, entries []entry) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "lines.jsonl")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	encoder := json.NewEncoder(file)
	for _, e := range entries {
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// figures holds the values of the dora_ gauges by name, and for durations by name
// and quantile, such as "dora_lead_time_seconds 0.5". Undefined values are missing.
type figures map[string]float64

// figuresOf computes the figures of the projects over the window that ends at
// the given time.
func figuresOf(entries []entry, projects []string, window time.Duration, end time.Time) figures {
	f := figures{"dora_deployments": 0, "dora_failed_deployments": 0, "dora_incidents": 0, "dora_deployments_unfinished": 0}
	in := func(at time.Time) bool { return !at.IsZero() && !at.Before(end.Add(-window)) && !at.After(end) }
	inScope := func(e entry) bool { return slices.Contains(projects, e.Project) }
	var lead, duration, recovery, restore, detect []float64
	linked := linkedIncidents(entries, end)
	days := map[string]bool{}
	rework := 0.0
	for _, e := range entries {
		switch {
		case !inScope(e):
		case e.Kind == "deployment" && in(e.DeployedAt):
			f["dora_deployments"]++
			days[e.DeployedAt.UTC().Format(time.DateOnly)] = true
			lead = append(lead, e.DeployedAt.Sub(e.FirstCommitAt).Seconds())
			start := e.DeployStartAt
			if start.IsZero() {
				start = e.DeployedAt
			}
			duration = append(duration, e.DeployedAt.Sub(start).Seconds())
			if e.Rework {
				rework++
			}
			if len(linked[deploymentKey{e.Project, e.ID}]) > 0 {
				f["dora_failed_deployments"]++
			}
		case e.Kind == "incident":
			if in(e.StartedAt) {
				f["dora_incidents"]++
				if d := deploymentOf(entries, e); d != nil {
					detect = append(detect, max(0, e.StartedAt.Sub(d.DeployedAt).Seconds()))
				}
			}
			if in(e.RestoredAt) {
				restore = append(restore, e.RestoredAt.Sub(e.StartedAt).Seconds())
			}
		}
		if e.Kind == "deployment" && inScope(e) {
			if took, at := recoveryOf(linked[deploymentKey{e.Project, e.ID}]); in(at) {
				recovery = append(recovery, took.Seconds())
			}
		}
	}
	f["dora_deployments_per_day"] = f["dora_deployments"] / (window.Hours() / 24)
	f["dora_deployment_days"] = float64(len(days))
	if f["dora_deployments"] > 0 {
		f["dora_change_failure_ratio"] = f["dora_failed_deployments"] / f["dora_deployments"]
		f["dora_rework_ratio"] = rework / f["dora_deployments"]
	}
	f.distribution("dora_lead_time", lead)
	f.distribution("dora_deployment_duration", duration)
	f.distribution("dora_failed_deployment_recovery", recovery)
	f.distribution("dora_time_to_restore", restore)
	f.distribution("dora_time_to_detect", detect)
	return f
}

// deploymentKey identifies a deployment.
type deploymentKey struct{ project, id string }

// linkedIncidents returns the incidents of each deployment that have started by the
// end.
func linkedIncidents(entries []entry, end time.Time) map[deploymentKey][]entry {
	linked := map[deploymentKey][]entry{}
	for _, e := range entries {
		if e.Kind == "incident" && e.DeploymentID != "" && !e.StartedAt.After(end) {
			key := deploymentKey{e.Project, e.DeploymentID}
			linked[key] = append(linked[key], e)
		}
	}
	return linked
}

// recoveryOf returns how long it took from the start of the first incident of a
// deployment until the last one was restored, and when that was: never if there are
// none, or if one is open.
func recoveryOf(incidents []entry) (took time.Duration, at time.Time) {
	for _, e := range incidents {
		if e.RestoredAt.IsZero() {
			return 0, time.Time{}
		}
		at = later(at, e.RestoredAt)
	}
	for _, e := range incidents {
		took = max(took, at.Sub(e.StartedAt))
	}
	return took, at
}

// unlinked reports whether there are incidents, but none is linked to a deployment.
func (f figures) unlinked() bool {
	return f["dora_incidents"] > 0 && f["dora_failed_deployments"] == 0 && f["dora_time_to_detect_samples"] == 0
}

func deploymentOf(entries []entry, incident entry) *entry {
	for i, e := range entries {
		if e.Kind == "deployment" && e.Project == incident.Project && e.ID == incident.DeploymentID {
			return &entries[i]
		}
	}
	return nil
}

// distribution adds the number of samples, and the median and the 90th percentile,
// interpolated between the closest ranks.
func (f figures) distribution(name string, samples []float64) {
	f[name+"_samples"] = float64(len(samples))
	if len(samples) == 0 {
		return
	}
	slices.Sort(samples)
	for quantile, p := range map[string]float64{" 0.5": 0.5, " 0.9": 0.9} {
		rank := p * float64(len(samples)-1)
		below, above := samples[int(math.Floor(rank))], samples[int(math.Ceil(rank))]
		f[name+"_seconds"+quantile] = below + (rank-math.Floor(rank))*(above-below)
	}
}

// projectsOf returns the projects of the entries, sorted and without duplicates.
func projectsOf(entries []entry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, e.Project)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
