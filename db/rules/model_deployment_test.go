package rules_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	. "github.com/em-metrics/em-metrics/db/rules"
)

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

// history returns the deployments of a place before a time, in order.
func (m *model) history(project, environment string, before time.Time) (history []*modelDeployment) {
	for _, d := range m.deployments {
		if d.Project == project && d.Environment == environment && !d.deployed.IsZero() && d.deployed.Before(before) {
			history = append(history, d)
		}
	}
	slices.SortStableFunc(history, func(a, b *modelDeployment) int { return a.deployed.Compare(b.deployed) })
	return history
}
