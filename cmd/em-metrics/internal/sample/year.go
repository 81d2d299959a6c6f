package sample

import (
	"fmt"
	"slices"
	"time"
)

// year generates the events between begin and end. Each day of a project has a
// random source of its own, so overlapping years agree: sending the sample again
// on a later day adds what is new and contradicts nothing.
type year struct {
	seed        uint64
	begin, end  time.Time
	deployments []*event
	incidents   []*event
}

// event is a line and what it was generated from.
type event struct {
	Line
	project project
	cause   *event // the deployment that failed
	random  random
}

func (e *event) at() time.Time {
	if e.Kind == "incident" {
		return e.StartedAt
	}
	return e.DeployedAt
}

func byTime(a, b *event) int { return a.at().Compare(b.at()) }

func newYear(end time.Time, seed uint64) *year {
	end = end.UTC().Truncate(time.Second)
	y := &year{seed: seed, begin: end.AddDate(-1, 0, 0), end: end}
	for index, p := range projects() {
		for day := midnight(y.begin.In(p.zone)); day.Before(y.end); day = day.AddDate(0, 0, 1) {
			y.addDay(p, day, y.random(uint64(index), day))
		}
	}
	y.resolveIncidents()
	return y
}

// lines returns all events in chronological order.
func (y *year) lines() []Line {
	all := slices.Concat(y.deployments, y.incidents)
	slices.SortStableFunc(all, byTime)
	lines := make([]Line, len(all))
	for i, e := range all {
		lines[i] = e.Line
	}
	return lines
}

// addDay adds one day of a project: its deployments, and occasionally an
// incident that no deployment caused.
func (y *year) addDay(p project, day time.Time, r random) {
	date := day.Format("20060102")
	if r.Float64() < 2./365 {
		y.addIncident(p, day.Add(r.upTo(24*time.Hour)), "INC-"+date, nil, r.split())
	}
	if weekend(day) || frozen(day) {
		return
	}
	starts := make([]time.Time, p.runs(r, day))
	for i := range starts {
		starts[i] = r.workTime(day)
	}
	slices.SortFunc(starts, time.Time.Compare)
	for i, start := range starts {
		y.addRun(p, fmt.Sprintf("%s.%d", date, i+1), start, r.split())
	}
}

// addRun adds the deployments of a pipeline run: to production, and to staging
// before it if the project has one.
func (y *year) addRun(p project, id string, start time.Time, r random) {
	run := Line{
		Kind: "deployment", ProjectID: p.id, Environment: "production", ID: id,
		FirstCommitAt: r.firstCommit(p, start), User: r.user(p),
	}
	fails, promoted, wait := r.Float64() < p.failures, r.Float64() < 0.65, r.upTo(4*time.Hour)
	if p.staging {
		staged := run
		staged.Environment = "staging"
		y.addDeployment(p, staged, start, r.split())
		// Two out of three runs are promoted, unless it is too late in the day.
		start = start.Add(30*time.Minute + wait)
		if !promoted || start.Hour() >= 18 {
			return
		}
	}
	deployed := y.addDeployment(p, run, start, r.split())
	if fails && deployed != nil {
		y.addIncident(p, deployed.DeployedAt.Add(r.logNormal(25*time.Minute, 1.2)), "INC-"+id, deployed, r.split())
	}
}

// addDeployment adds a deployment and returns it, or nil if it is outside the
// year.
func (y *year) addDeployment(p project, line Line, start time.Time, r random) *event {
	line.DeployStartAt, line.DeployedAt = start, start.Add(r.logNormal(p.duration, 0.35))
	if start.Before(y.begin) || line.DeployedAt.After(y.end) {
		return nil
	}
	e := &event{Line: line, project: p}
	y.deployments = append(y.deployments, e)
	return e
}

// addIncident adds an incident, unless it is outside the year. cause may be nil.
func (y *year) addIncident(p project, at time.Time, id string, cause *event, r random) {
	if at.Before(y.begin) || at.After(y.end) {
		return
	}
	i := &event{project: p, cause: cause, random: r, Line: Line{
		Kind: "incident", ProjectID: p.id, Environment: "production", ID: id, StartedAt: at, User: r.user(p),
	}}
	if cause != nil {
		i.DeploymentID = cause.ID
	}
	y.incidents = append(y.incidents, i)
}

// resolveIncidents restores and finishes the incidents as far as that is past,
// and leaves the newest open. An incident that lasted long enough is resolved by
// a deployment with a fix, others by a rollback.
func (y *year) resolveIncidents() {
	slices.SortStableFunc(y.incidents, byTime)
	for n, i := range y.incidents {
		r := i.random
		restored := i.StartedAt.Add(r.logNormal(i.project.restore, 0.9))
		finished := restored.Add(r.logNormal(20*time.Hour, 0.8))
		neverFinished, rolledBack := r.Float64() < 0.2, r.Float64() < 0.3
		if n == len(y.incidents)-1 || restored.After(y.end) {
			continue
		}
		i.RestoredAt = restored
		if !neverFinished && !finished.After(y.end) {
			i.FinishedAt = finished
		}
		start := restored.Add(-2 * i.project.duration)
		if i.cause != nil && !rolledBack && start.Sub(i.StartedAt) > 10*time.Minute {
			fix := i.cause.Line
			fix.ID, fix.User, fix.Rework = i.cause.ID+"-fix", i.User, true
			fix.FirstCommitAt = i.StartedAt.Add(r.upTo(start.Sub(i.StartedAt)))
			y.addDeployment(i.project, fix, start, r.split())
		}
	}
}

// frozen reports whether the day is in the deployment freeze at the end of the
// year.
func frozen(day time.Time) bool {
	_, month, date := day.Date()
	return month == time.December && date >= 19 || month == time.January && date <= 4
}

// midnight returns the start of the day of t, in its zone.
func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

func weekend(day time.Time) bool {
	return day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
}
