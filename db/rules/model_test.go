package rules_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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

func (m *model) start(c StartDeployment) (Code, bool) {
	found := m.findDeployments(Ref{c.ID, c.Project, c.Environment})
	if len(found) == 0 {
		if c.DeployStartAt.IsZero() && c.DeployedAt.Before(m.now) {
			c.DeployStartAt = c.DeployedAt // or unknown, too
		}
		c.DeployStartAt = or(c.DeployStartAt, m.now)
		code := m.add(c)
		if code == fine && c.Failed {
			m.fail(m.deployments[len(m.deployments)-1], m.now)
		}
		return code, code == fine
	}
	d := found[0]
	if m.contradicts(d, c.Commit, or(c.FirstCommitAt, earliest(c.Commits))) || differ(c.DeployStartAt, d.start) {
		return Conflict, false
	}
	switch {
	case c.DeployedAt.IsZero() || c.DeployedAt.Equal(d.planned) || c.DeployedAt.Equal(d.deployed):
	case !d.planned.IsZero() || !d.deployed.IsZero():
		return Conflict, false
	case !m.possible(d.first, d.start, c.DeployedAt):
		return Invalid, false
	default:
		d.planned = c.DeployedAt
	}
	m.fill(d, c.Commit, c.Commits, c.FirstCommitAt, c.Rollback)
	if c.Failed {
		m.fail(d, or(d.deployed, m.now))
	}
	return fine, false
}

// contradicts tells whether the commit is another one or, if one of the two is not
// known, the date of the first commit.
func (m *model) contradicts(d *modelDeployment, commit string, first time.Time) bool {
	if commit != "" && d.commit != "" {
		return !alike(commit, d.commit)
	}
	return differ(first, d.first)
}

// alike compares names as git would read them: seven and more hexadecimal digits may
// be the beginning of a longer name.
func alike(a, b string) bool {
	hex := func(s string) bool { return len(s) >= 7 && strings.Trim(s, "0123456789abcdef") == "" }
	return a != "" && (a == b || hex(a) && hex(b) && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)))
}

func earliest(commits []Commit) (first time.Time) {
	for _, c := range commits {
		if first.IsZero() || c.At.Before(first) {
			first = c.At
		}
	}
	return first
}

func (m *model) fill(d *modelDeployment, commit string, commits []Commit, first time.Time, told NullBool) {
	if d.commit == "" {
		d.commit = commit
	}
	if !d.deployed.IsZero() {
		return
	}
	d.first = or(d.first, first, earliest(commits))
	if d.commits < 0 && commits != nil {
		d.commits = len(commits)
	}
	if !d.told.Valid {
		d.told = told
	}
}

func (m *model) add(c StartDeployment) Code {
	if c.FirstCommitAt.IsZero() && c.Commit == "" && c.Commits == nil && !c.FirstCommitUnknown {
		return Missing
	}
	if !m.possible(or(c.FirstCommitAt, earliest(c.Commits)), c.DeployStartAt, c.DeployedAt) {
		return Invalid
	}
	d := &modelDeployment{Key: c.Key, start: c.DeployStartAt, planned: c.DeployedAt, commits: -1}
	m.fill(d, c.Commit, c.Commits, c.FirstCommitAt, c.Rollback)
	m.deployments = append(m.deployments, d)
	if !c.DeployStartAt.IsZero() || !c.DeployedAt.IsZero() {
		m.record(DeploymentStarted, d.Key, or(d.start, d.planned))
	}
	return fine
}

func (m *model) abort(c AbortDeployment) (Code, bool) {
	found := m.findDeployments(c.Ref)
	at := or(c.At, m.now)
	if len(found) == 0 && c.Create != nil {
		if !m.possible(c.Create.DeployStartAt, at) {
			return m.addOnlyIf(*c.Create), false
		}
		code := m.add(*c.Create)
		if code != fine {
			return code, false
		}
		d := m.deployments[len(m.deployments)-1]
		if d.start.IsZero() {
			m.record(DeploymentStarted, d.Key, at)
		}
		d.aborted = at
		m.record(DeploymentAborted, d.Key, at)
		return fine, true
	}
	if code := howMany(found); code != fine {
		return code, false
	}
	d := found[0]
	switch {
	case !d.deployed.IsZero():
		return Conflict, false
	case !d.aborted.IsZero():
		return fine, false
	case !m.possible(d.start, at):
		return Invalid, false
	}
	d.aborted = at
	m.record(DeploymentAborted, d.Key, at)
	return fine, false
}

// addOnlyIf answers why a deployment that cannot be aborted is not added.
func (m *model) addOnlyIf(c StartDeployment) Code {
	if c.Commit == "" {
		return Missing
	}
	return Invalid
}

func (m *model) deploy(c FinishDeployment) (Code, bool) {
	found := m.findDeployments(c.Ref)
	created := false
	if len(found) == 0 && c.Create != nil {
		first := *c.Create
		first.DeployedAt, first.FirstCommitAt = or(c.DeployedAt, m.now), or(first.FirstCommitAt, c.FirstCommitAt)
		first.Commit, first.Commits = c.Commit, c.Commits
		if code := m.add(first); code != fine {
			return code, false
		}
		created, found = true, m.deployments[len(m.deployments)-1:]
	}
	if code := howMany(found); code != fine {
		return code, false
	}
	d := found[0]
	if !created && m.contradicts(d, c.Commit, or(c.FirstCommitAt, earliest(c.Commits))) {
		return Conflict, false
	}
	before := *d
	m.fill(d, c.Commit, c.Commits, c.FirstCommitAt, c.Rollback)
	if d.deployed.IsZero() {
		at := or(c.DeployedAt, d.planned, m.now)
		if !m.possible(d.first, d.start, at) {
			*d = before
			return Invalid, false
		}
		m.finish(d, at, c.Rollback)
	}
	if c.Failed {
		m.fail(d, d.deployed)
	}
	return fine, created
}

// finish deploys, and decides what became of the deployment that was live before.
func (m *model) finish(d *modelDeployment, at time.Time, told NullBool) {
	if told.Valid {
		d.told = told
	}
	history := m.history(d.Project, d.Environment, at)
	d.deployed = at
	var live *modelDeployment
	mine, lives := -1, -1 // where in the history the two commits come first
	if len(history) > 0 {
		live = history[len(history)-1]
		mine = slices.IndexFunc(history, func(h *modelDeployment) bool { return alike(h.commit, d.commit) })
		lives = slices.IndexFunc(history, func(h *modelDeployment) bool { return alike(h.commit, live.commit) })
	}
	switch {
	case d.told.Valid && d.told.V:
		d.why = "rollback"
	case mine < 0:
	case !d.told.Valid && lives >= 0 && mine < lives && !alike(d.commit, live.commit):
		d.why = "rollback"
	default:
		d.why = "redeployment"
	}
	switch {
	case d.why != "":
		d.first = time.Time{}
	case !d.first.IsZero():
	case d.commits >= 0:
		d.why = "no_commits"
	case live == nil:
		d.why = "first_deployment"
	default:
		d.why = "commits_unknown"
	}
	m.record(DeploymentDeployed, d.Key, at, measure("lead", d.first, at), measure("took", d.start, at))
	if d.why != "rollback" || live == nil {
		return
	}
	m.fail(live, at)
	open := slices.DeleteFunc(slices.Clone(m.incidents), func(i *modelIncident) bool {
		return i.Project != live.Project || i.Environment != live.Environment || i.deployment != live.ID ||
			!i.restored.IsZero() || i.start.Sub(at) > 5*time.Minute
	})
	slices.SortFunc(open, func(a, b *modelIncident) int {
		return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.ID, b.ID))
	})
	for _, i := range open {
		i.restored, i.automatic = at, true
		m.record(IncidentRestored, i.Key, at, measure("restored", i.start, at))
	}
}

// history is what was deployed somewhere before a time, in order.
func (m *model) history(project, environment string, before time.Time) (history []*modelDeployment) {
	for _, d := range m.deployments {
		if d.Project == project && d.Environment == environment && !d.deployed.IsZero() && d.deployed.Before(before) {
			history = append(history, d)
		}
	}
	slices.SortStableFunc(history, func(a, b *modelDeployment) int { return a.deployed.Compare(b.deployed) })
	return history
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
