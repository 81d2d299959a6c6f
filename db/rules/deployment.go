package rules

import (
	"cmp"
	"time"
)

// Deployment is a stored deployment. A zero time is unknown or has not come.
type Deployment struct {
	Key
	Team          string // empty: unknown
	Commit        string // the deployed revision; empty: unknown
	FirstCommitAt time.Time
	DeployStartAt time.Time
	DeployedAt    time.Time
	// AbortedAt is when it was abandoned. It may have been deployed later.
	AbortedAt time.Time
	// Commits is the number of commits that it brought.
	Commits NullInt
	Rework  bool
	// Rollback is the value that the client sent or, once it is deployed, reports
	// whether it went back to an earlier commit.
	Rollback NullBool
	// NoLeadTime is why a deployed deployment has no lead time. Empty means that it
	// has one.
	NoLeadTime NoLeadTime
	// Failed marks a deployment with at least one linked incident, one that was
	// rolled back, and one that the client said has failed; deployed or not.
	Failed bool
	// FailedBecause is the first cause of its failure.
	FailedBecause FailureCause
	// RolledBackAt and RolledBackBy are the date and the id of the rollback that
	// replaced it.
	RolledBackAt time.Time
	RolledBackBy string
	RecordedAt   time.Time

	// PlannedDeployedAt is the DeployedAt of a later [FinishDeployment] without
	// one.
	PlannedDeployedAt time.Time
	// Row is the store's number for it, zero for one that is not stored yet.
	Row int64
}

func (d *Deployment) noun() string { return "deployment" }
func (d *Deployment) key() Key     { return d.Key }

// BeganAt is when the deployment started or, if that is unknown, when it was
// deployed or will be. One that was first heard of when it was aborted began then.
func (d *Deployment) BeganAt() time.Time {
	return firstKnown(d.DeployStartAt, d.AbortedAt, d.DeployedAt, d.PlannedDeployedAt)
}

func (c StartDeployment) decide(s *State) (Outcome, error) {
	c = c.precise()
	if found := s.deployments.find(c.Key.ref()); len(found) == 1 {
		return c.repeat(s, *found[0])
	}
	d, err := c.create(s)
	if err != nil {
		return Outcome{}, err
	}
	if d.DeployStartAt.IsZero() {
		d.DeployStartAt = s.now
		if planned := d.PlannedDeployedAt; !planned.IsZero() && planned.Before(s.now) {
			d.DeployStartAt = planned
		}
	}
	s.startDeployment(&d)
	if c.Failed {
		d = s.failDeployment(d, s.now, ToldFailed)
	}
	return Outcome{Deployment: &d, Created: true}, nil
}

func (c StartDeployment) precise() StartDeployment {
	c.DeployStartAt, c.DeployedAt = precise(c.DeployStartAt), precise(c.DeployedAt)
	return c
}

func (c StartDeployment) revision() revision {
	return newRevision(c.Commit, c.Commits, c.FirstCommitAt, c.Rollback)
}

// create returns the deployment that the command describes, which must not be
// recorded yet.
func (c StartDeployment) create(s *State) (Deployment, error) {
	r := c.revision()
	hasFirstCommit := !r.firstCommitAt.IsZero() || r.commit != "" || r.commits != nil || c.FirstCommitUnknown
	err := requireAll("deployment", required{"id", c.ID != ""}, required{"project_id", c.Project != ""},
		required{"environment", c.Environment != ""}, required{"first_commit_at", hasFirstCommit})
	if err != nil {
		return Deployment{}, err
	}
	d := Deployment{
		Key: c.Key, FirstCommitAt: r.firstCommitAt, DeployStartAt: c.DeployStartAt, PlannedDeployedAt: c.DeployedAt,
		Rework: c.Rework, RecordedAt: s.now,
	}
	if err := s.checkDeployedAt(&d, c.DeployedAt); err != nil {
		return Deployment{}, err
	}
	s.fillRevision(&d, r)
	fillTeam(&d.Team, c.Team, d.Project)
	return d, nil
}

// createUnlessRecorded is create for a command whose Ref matches no deployment: Key may
// still be that of one, if the two differ.
func (c StartDeployment) createUnlessRecorded(s *State) (Deployment, error) {
	if len(s.deployments.find(c.Key.ref())) > 0 {
		return Deployment{}, &Error{Code: Conflict, Message: "the deployment to create already exists under another name"}
	}
	return c.create(s)
}

func (s *State) startDeployment(d *Deployment) {
	s.deployments.put(d)
	s.record(d.event(DeploymentStarted, d.BeganAt()))
}

// repeat compares the command with the recorded deployment and fills in what
// was unknown. It adds no event: the deployment started once.
func (c StartDeployment) repeat(s *State, d Deployment) (Outcome, error) {
	before, r := d, c.revision()
	if err := d.checkRevision(r); err != nil {
		return Outcome{}, err
	}
	if contradicts(c.DeployStartAt, d.DeployStartAt) {
		return Outcome{}, conflictingDate("deployment", date{"deploy_start_at", d.DeployStartAt})
	}
	switch planned := firstKnown(d.PlannedDeployedAt, d.DeployedAt); {
	case contradicts(c.DeployedAt, planned) && (d.DeployedAt.IsZero() || contradicts(c.DeployedAt, d.DeployedAt)):
		return Outcome{}, conflictingDate("deployment", date{"deployed_at", planned})
	case !c.DeployedAt.IsZero() && planned.IsZero():
		if err := s.checkDeployedAt(&d, c.DeployedAt); err != nil {
			return Outcome{}, err
		}
		d.PlannedDeployedAt = c.DeployedAt
	}
	s.fillRevision(&d, r)
	d.Rework = d.Rework || c.Rework
	if c.FillTeam {
		fillTeam(&d.Team, c.Team, d.Project)
	}
	if d != before {
		s.deployments.put(&d)
	}
	if c.Failed {
		d = s.failDeployment(d, firstKnown(d.DeployedAt, s.now), ToldFailed)
	}
	return Outcome{Deployment: &d}, nil
}

func (c FinishDeployment) decide(s *State) (Outcome, error) {
	c.DeployedAt = precise(c.DeployedAt)
	found := s.deployments.find(c.Ref)
	if len(found) == 0 && c.Create != nil {
		return c.create(s)
	}
	recorded, err := ExactlyOne(c.Ref, found)
	if err != nil {
		return Outcome{}, err
	}
	r := newRevision(c.Commit, c.Commits, c.FirstCommitAt, c.Rollback)
	if err := recorded.checkRevision(r); err != nil {
		return Outcome{}, err
	}
	d := *recorded
	s.fillRevision(&d, r)
	fillTeam(&d.Team, c.Team, d.Project)
	d.Rework = d.Rework || c.Rework
	superseded := false
	if d.DeployedAt.IsZero() {
		d.DeployedAt = firstKnown(c.DeployedAt, d.PlannedDeployedAt, s.now)
		if err := s.checkDeployedAt(&d, d.DeployedAt); err != nil {
			return Outcome{}, err
		}
		s.finishDeployment(&d, c.Rollback)
	} else {
		superseded = s.isSuperseded(&d)
		if d != *recorded {
			s.deployments.put(&d)
		}
	}
	if c.Failed {
		d = s.failDeployment(d, d.DeployedAt, ToldFailed)
	}
	return Outcome{Deployment: &d, Superseded: superseded}, nil
}

// create records a deployment that is first heard of when it is deployed: it
// has started too, at the given start or else when it was deployed.
func (c FinishDeployment) create(s *State) (Outcome, error) {
	start := c.Create.precise()
	start.DeployedAt, start.Rework = firstKnown(c.DeployedAt, s.now), start.Rework || c.Rework
	start.FirstCommitAt, start.Commit = firstKnown(start.FirstCommitAt, c.FirstCommitAt), cmp.Or(start.Commit, c.Commit)
	if start.Commits == nil {
		start.Commits = c.Commits
	}
	d, err := start.createUnlessRecorded(s)
	if err != nil {
		return Outcome{}, err
	}
	s.startDeployment(&d)
	deployed := d
	deployed.DeployedAt = start.DeployedAt
	s.finishDeployment(&deployed, c.Rollback)
	if c.Failed || start.Failed {
		deployed = s.failDeployment(deployed, deployed.DeployedAt, ToldFailed)
	}
	return Outcome{Deployment: &deployed, Created: true}, nil
}

// finishDeployment records that the deployment is deployed. Whether it is a rollback
// is given now, or was given before, or else is decided here.
func (s *State) finishDeployment(d *Deployment, given NullBool) {
	if given.Valid {
		d.Rollback = given
	}
	replaced := s.DeployedBefore(Before{d.Project, d.Environment, d.DeployedAt})
	d.NoLeadTime = s.judge(d, replaced)
	switch d.NoLeadTime {
	case IsRollback:
		d.Rollback, d.Rework = NullBool{true, true}, true
		s.dropRevision(d)
	case IsRedeployment:
		s.dropRevision(d)
	case "", FirstDeployment, NoCommits, CommitsUnknown:
	}
	s.deployments.put(d)
	e := d.event(DeploymentDeployed, d.DeployedAt)
	e.LeadTime = Elapsed(d.FirstCommitAt, d.DeployedAt)
	e.DeploymentDuration = Elapsed(d.DeployStartAt, d.DeployedAt)
	s.record(e)
	if d.NoLeadTime == IsRollback && replaced != nil {
		s.rollBack(*replaced, d)
	}
}

// failDeployment records that the deployment failed, once: a second incident
// does not make it fail again. The event carries the team of the deployment, so
// that failed and all deployments of a team are counted alike. It returns the
// deployment as it is then.
func (s *State) failDeployment(d Deployment, at time.Time, because FailureCause) Deployment {
	if d.Failed {
		return d
	}
	d.Failed, d.FailedBecause = true, because
	s.deployments.put(&d)
	s.record(d.event(ChangeFailed, at))
	return d
}

func (s *State) checkDeployedAt(d *Deployment, at time.Time) error {
	return s.checkOrder(date{"first_commit_at", d.FirstCommitAt},
		date{"deploy_start_at", d.DeployStartAt}, date{"deployed_at", at})
}

func (d *Deployment) event(kind Kind, at time.Time) Event {
	return Event{
		Kind: kind, Project: d.Project, Environment: d.Environment, Team: d.Team, Subject: d.ID, OccurredAt: at,
	}
}

// fillTeam calls the function for a team when it is not known yet.
func fillTeam(team *string, of TeamFunc, project string) {
	if *team == "" && of != nil {
		*team = of(project)
	}
}
