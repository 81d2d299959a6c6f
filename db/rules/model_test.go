package rules_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/em-metrics/em-metrics/db/rules"
)

// model is what the store should do, said again in the plainest way: slices in
// memory, no SQL, no batches. It keeps the events it expects as text.
type model struct {
	now         time.Time
	deployments []*modelDeployment
	incidents   []*modelIncident
	events      []string
}

type modelDeployment struct {
	Key
	first, start, planned, deployed, aborted time.Time
	commit, why                              string
	commits                                  int // -1: unknown
	told                                     NullBool
	failed                                   bool
}

type modelIncident struct {
	Key
	deployment, idempotencyKey string
	number                     int
	start, restored, finished  time.Time
	automatic                  bool
}

const fine = Code(0)

func (m *model) record(kind Kind, k Key, at time.Time, measured ...string) {
	text := fmt.Sprintf("%s %s/%s/%s at %s", kind, k.Project, k.Environment, k.ID, at.Format(time.TimeOnly))
	for _, one := range measured {
		text += one
	}
	m.events = append(m.events, text)
}

// measure says how long something took, if both ends are known.
func measure(name string, from, to time.Time) string {
	switch {
	case from.IsZero() || to.IsZero():
		return ""
	case from.After(to):
		return " " + name + " 0s"
	}
	return " " + name + " " + to.Sub(from).String()
}

// possible tells whether the dates known follow each other, and none is in the
// future, give or take five minutes.
func (m *model) possible(dates ...time.Time) bool {
	dates = slices.DeleteFunc(append(dates, m.now), time.Time.IsZero)
	for i := range dates {
		for _, later := range dates[i+1:] {
			if dates[i].Sub(later) > 5*time.Minute {
				return false
			}
		}
	}
	return true
}

func or(dates ...time.Time) time.Time {
	i := slices.IndexFunc(dates, func(d time.Time) bool { return !d.IsZero() })
	if i < 0 {
		return time.Time{}
	}
	return dates[i]
}

func differ(a, b time.Time) bool { return !a.IsZero() && !b.IsZero() && !a.Equal(b) }

func fits(k Key, r Ref) bool {
	return k.ID == r.ID && (r.Project == "" || k.Project == r.Project) && (r.Environment == "" || k.Environment == r.Environment)
}

func (m *model) findDeployments(r Ref) (found []*modelDeployment) {
	for _, d := range m.deployments {
		if fits(d.Key, r) {
			found = append(found, d)
		}
	}
	return found
}

func (m *model) findIncidents(r Ref) (found []*modelIncident) {
	for _, i := range m.incidents {
		if fits(i.Key, r) {
			found = append(found, i)
		}
	}
	return found
}

func howMany[T any](found []T) Code {
	switch len(found) {
	case 0:
		return NotFound
	case 1:
		return fine
	}
	return Ambiguous
}

func (m *model) do(command Command) (code Code, created bool) {
	switch c := command.(type) {
	case StartDeployment:
		return m.start(c)
	case FinishDeployment:
		return m.deploy(c)
	case AbortDeployment:
		return m.abort(c)
	case OpenIncident:
		return m.open(c)
	case RestoreIncident:
		found := m.findIncidents(c.Ref)
		if code := howMany(found); code != fine {
			return code, false
		}
		return m.proceed(found[0], c.At, time.Time{}, or(found[0].restored, c.At, m.now), time.Time{}), false
	case FinishIncident:
		found := m.findIncidents(c.Ref)
		if code := howMany(found); code != fine {
			return code, false
		}
		return m.proceed(found[0], time.Time{}, c.At, time.Time{}, or(found[0].finished, c.At, m.now)), false
	}
	panic(command)
}

func (m *model) open(c OpenIncident) (Code, bool) {
	i, code := m.recall(c)
	if code != fine {
		return code, false
	}
	var d *modelDeployment
	if c.DeploymentID != "" && (i == nil || i.deployment == "") {
		found := m.findDeployments(Ref{c.DeploymentID, c.Project, c.Environment})
		if len(found) == 0 && c.AnyEnvironment {
			found = m.findDeployments(Ref{c.DeploymentID, c.Project, ""})
		}
		switch howMany(found) {
		case NotFound:
			return Invalid, false
		case Ambiguous:
			return Ambiguous, false
		}
		d = found[0]
		if i == nil {
			c.Environment = d.Environment
			if i, code = m.recall(c); code != fine {
				return code, false
			}
		}
	}
	if i == nil {
		code := m.begin(c, d)
		return code, code == fine
	}
	switch {
	case !c.AnyEnvironment && c.Environment != i.Environment,
		c.DeploymentID != "" && i.deployment != "" && c.DeploymentID != i.deployment,
		d != nil && d.Environment != i.Environment,
		differ(c.StartedAt, i.start):
		return Conflict, false
	}
	events := len(m.events)
	if d != nil && i.deployment == "" {
		m.record(IncidentLinked, i.Key, i.start, measure("detected", d.deployed, i.start))
		m.fail(d, i.start)
	}
	if code := m.proceed(i, c.RestoredAt, c.FinishedAt, c.RestoredAt, c.FinishedAt); code != fine {
		m.events = m.events[:events]
		if d != nil {
			d.failed = slices.ContainsFunc(m.incidents, func(i *modelIncident) bool {
				return Key{d.Project, d.Environment, i.deployment} == d.Key && i.Project == d.Project && i.Environment == d.Environment
			})
		}
		return code, false
	}
	if d != nil && i.deployment == "" {
		i.deployment = d.ID
	}
	return fine, false
}

// recall finds the incident that the command means, if it is known.
func (m *model) recall(c OpenIncident) (*modelIncident, Code) {
	if c.ID != "" {
		found := m.findIncidents(Ref{c.ID, c.Project, c.Environment})
		if len(found) == 0 && c.AnyEnvironment {
			found = slices.DeleteFunc(m.findIncidents(Ref{c.ID, c.Project, ""}), func(i *modelIncident) bool {
				return i.deployment == "" || c.DeploymentID != "" && c.DeploymentID != i.deployment
			})
		}
		switch howMany(found) {
		case NotFound:
			return nil, fine
		case Ambiguous:
			return nil, Ambiguous
		}
		return found[0], fine
	}
	for _, i := range m.incidents {
		switch {
		case i.Project != c.Project || i.number == 0:
		case c.IdempotencyKey != "" && i.idempotencyKey == c.IdempotencyKey:
			return i, fine
		case c.IdempotencyKey == "" && !c.StartedAt.IsZero() && i.start.Equal(c.StartedAt) &&
			i.Environment == c.Environment && i.deployment == c.DeploymentID:
			return i, fine
		}
	}
	return nil, fine
}

func (m *model) begin(c OpenIncident, d *modelDeployment) Code {
	i := &modelIncident{Key: c.Key, start: or(c.StartedAt, m.now)}
	if !m.possible(i.start, c.RestoredAt, c.FinishedAt) {
		return Invalid
	}
	if i.ID == "" {
		i.idempotencyKey, i.number = c.IdempotencyKey, 1
		count := 0
		for _, other := range m.incidents {
			if other.Project == c.Project {
				count++
				i.number = max(i.number, other.number+1)
			}
		}
		i.number = max(i.number, count+1)
		for ; i.ID == "" || len(m.findIncidents(Ref{i.ID, c.Project, ""})) > 0; i.number++ {
			i.ID = fmt.Sprintf("incident_%s_%d", c.Project, i.number)
		}
		i.number--
	}
	if d == nil {
		m.record(IncidentStarted, i.Key, i.start)
	} else {
		i.deployment = d.ID
		m.record(IncidentStarted, i.Key, i.start, measure("detected", d.deployed, i.start))
		m.fail(d, i.start)
	}
	m.incidents = append(m.incidents, i)
	return m.proceed(i, c.RestoredAt, c.FinishedAt, c.RestoredAt, c.FinishedAt)
}

func (m *model) fail(d *modelDeployment, at time.Time) {
	if !d.failed {
		d.failed = true
		m.record(ChangeFailed, d.Key, at)
	}
}

// proceed restores and finishes an incident at the dates given. Said are the
// dates that the command named, which must not contradict.
func (m *model) proceed(i *modelIncident, saidRestored, saidFinished, restored, finished time.Time) Code {
	before := *i
	if i.automatic { // what is said replaces it
		if saidRestored.IsZero() && saidFinished.Before(i.restored) {
			saidRestored = saidFinished
		}
		if !saidRestored.IsZero() {
			i.restored, i.automatic = saidRestored, false
		}
	}
	code := m.proceedWith(i, saidRestored, saidFinished, restored, finished)
	if code != fine {
		*i = before
	}
	return code
}

func (m *model) proceedWith(i *modelIncident, saidRestored, saidFinished, restored, finished time.Time) Code {
	if differ(saidRestored, i.restored) || differ(saidFinished, i.finished) {
		return Conflict
	}
	if !m.possible(i.start, or(i.restored, restored), or(i.finished, finished)) {
		return Invalid
	}
	if at := or(restored, finished); i.restored.IsZero() && !at.IsZero() {
		i.restored = at
		m.record(IncidentRestored, i.Key, at, measure("restored", i.start, at))
	}
	if i.finished.IsZero() && !finished.IsZero() {
		i.finished = finished
		m.record(IncidentFinished, i.Key, finished)
	}
	return fine
}

// eventText writes an event as the model does.
func eventText(e Event) string {
	text := fmt.Sprintf("%s %s/%s/%s at %s", e.Kind, e.Project, e.Environment, e.Subject, e.OccurredAt.Format(time.TimeOnly))
	for _, d := range []struct {
		name string
		took NullDuration
	}{
		{"lead", e.LeadTime}, {"took", e.DeploymentDuration}, {"detected", e.TimeToDetect}, {"restored", e.TimeToRestore},
	} {
		if d.took.Valid {
			text += " " + d.name + " " + d.took.V.String()
		}
	}
	return text
}
