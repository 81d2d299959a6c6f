package rules

import "time"

// Deployment is a stored deployment. A zero time is unknown or has not come.
type Deployment struct {
	Key
	Team          string // empty: unknown
	FirstCommitAt time.Time
	DeployStartAt time.Time
	DeployedAt    time.Time
	Rework        bool
	// Failed marks a deployment with at least one linked incident, deployed or
	// not.
	Failed     bool
	RecordedAt time.Time

	// PlannedDeployedAt is the DeployedAt of a later [FinishDeployment] without
	// one.
	PlannedDeployedAt time.Time
	// Row is the store's number for it, zero for one that is not stored yet.
	Row int64
}

func (d *Deployment) noun() string { return "deployment" }
func (d *Deployment) key() Key     { return d.Key }

// BeganAt is when the deployment started or, if that is unknown, when it was
// deployed or will be.
func (d *Deployment) BeganAt() time.Time {
	return firstKnown(d.DeployStartAt, d.DeployedAt, d.PlannedDeployedAt)
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
	return Outcome{Deployment: &d, Created: true}, nil
}

func (c StartDeployment) precise() StartDeployment {
	c.FirstCommitAt, c.DeployStartAt, c.DeployedAt = precise(c.FirstCommitAt), precise(c.DeployStartAt), precise(c.DeployedAt)
	return c
}

// create returns the deployment that the command describes, which must not be
// recorded yet.
func (c StartDeployment) create(s *State) (Deployment, error) {
	err := requireAll("deployment", required{"id", c.ID != ""}, required{"project_id", c.Project != ""},
		required{"environment", c.Environment != ""}, required{"first_commit_at", !c.FirstCommitAt.IsZero()})
	if err != nil {
		return Deployment{}, err
	}
	d := Deployment{
		Key: c.Key, FirstCommitAt: c.FirstCommitAt, DeployStartAt: c.DeployStartAt, PlannedDeployedAt: c.DeployedAt,
		Rework: c.Rework, RecordedAt: s.now,
	}
	if err := s.checkDeployedAt(&d, c.DeployedAt); err != nil {
		return Deployment{}, err
	}
	fillTeam(&d.Team, c.Team, d.Project)
	return d, nil
}

func (s *State) startDeployment(d *Deployment) {
	s.deployments.put(d)
	s.record(d.event(DeploymentStarted, d.BeganAt()))
}

// repeat compares the command with the recorded deployment and fills in what
// was unknown. It adds no event: the deployment started once.
func (c StartDeployment) repeat(s *State, d Deployment) (Outcome, error) {
	before := d
	if contradicts(c.FirstCommitAt, d.FirstCommitAt) {
		return Outcome{}, conflictingDate("deployment", date{"first_commit_at", d.FirstCommitAt})
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
	d.Rework = d.Rework || c.Rework
	if c.FillTeam {
		fillTeam(&d.Team, c.Team, d.Project)
	}
	if d != before {
		s.deployments.put(&d)
	}
	return Outcome{Deployment: &d}, nil
}

func (c FinishDeployment) decide(s *State) (Outcome, error) {
	c.FirstCommitAt, c.DeployedAt = precise(c.FirstCommitAt), precise(c.DeployedAt)
	found := s.deployments.find(c.Ref)
	if len(found) == 0 && c.Create != nil {
		return c.create(s)
	}
	recorded, err := ExactlyOne(c.Ref, found)
	if err != nil {
		return Outcome{}, err
	}
	if contradicts(c.FirstCommitAt, recorded.FirstCommitAt) {
		return Outcome{}, conflictingDate("deployment", date{"first_commit_at", recorded.FirstCommitAt})
	}
	d := *recorded
	fillTeam(&d.Team, c.Team, d.Project)
	d.Rework = d.Rework || c.Rework
	if d.DeployedAt.IsZero() {
		d.DeployedAt = firstKnown(c.DeployedAt, d.PlannedDeployedAt, s.now)
		if err := s.checkDeployedAt(&d, d.DeployedAt); err != nil {
			return Outcome{}, err
		}
		s.finishDeployment(&d)
	} else if d != *recorded {
		s.deployments.put(&d)
	}
	return Outcome{Deployment: &d}, nil
}

// create records a deployment that is first heard of when it is deployed: it
// has started too, at the given start or else when it was deployed.
func (c FinishDeployment) create(s *State) (Outcome, error) {
	start := c.Create.precise()
	start.DeployedAt, start.Rework = firstKnown(c.DeployedAt, s.now), start.Rework || c.Rework
	if len(s.deployments.find(start.Key.ref())) > 0 {
		return Outcome{}, &Error{Code: Conflict, Message: "the deployment to create already exists under another name"}
	}
	d, err := start.create(s)
	if err != nil {
		return Outcome{}, err
	}
	s.startDeployment(&d)
	deployed := d
	deployed.DeployedAt = start.DeployedAt
	s.finishDeployment(&deployed)
	return Outcome{Deployment: &deployed, Created: true}, nil
}

func (s *State) finishDeployment(d *Deployment) {
	s.deployments.put(d)
	e := d.event(DeploymentDeployed, d.DeployedAt)
	e.LeadTime = Elapsed(d.FirstCommitAt, d.DeployedAt)
	e.DeploymentDuration = Elapsed(d.DeployStartAt, d.DeployedAt)
	s.record(e)
}

// failDeployment records that the deployment failed, once: a second incident
// does not make it fail again. The event carries the team of the deployment, so
// that failed and all deployments of a team are counted alike.
func (s *State) failDeployment(d Deployment, at time.Time) {
	if d.Failed {
		return
	}
	d.Failed = true
	s.deployments.put(&d)
	s.record(d.event(ChangeFailed, at))
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
