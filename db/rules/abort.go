package rules

func (c AbortDeployment) decide(s *State) (Outcome, error) {
	c.At = precise(c.At)
	found := s.deployments.find(c.Ref)
	if len(found) == 0 && c.Create != nil {
		return c.create(s)
	}
	recorded, err := ExactlyOne(c.Ref, found)
	if err != nil {
		return Outcome{}, err
	}
	d := *recorded
	if !d.DeployedAt.IsZero() {
		return Outcome{}, conflict("deployment", "deployed_at",
			"is already recorded as %s; a deployment that is deployed cannot be aborted", text(d.DeployedAt))
	}
	fillTeam(&d.Team, c.Team, d.Project)
	if d.AbortedAt.IsZero() {
		d.AbortedAt = firstKnown(c.At, s.now)
		if err := s.checkAbortedAt(&d); err != nil {
			return Outcome{}, err
		}
		s.abortDeployment(&d)
	} else if d != *recorded {
		s.deployments.put(&d)
	}
	return Outcome{Deployment: &d}, nil
}

// create records a deployment that is first heard of when it is aborted: it has
// started too, at the given start or else when it was aborted.
func (c AbortDeployment) create(s *State) (Outcome, error) {
	start := c.Create.precise()
	d, err := start.createUnlessRecorded(s)
	if err != nil {
		return Outcome{}, err
	}
	d.AbortedAt = firstKnown(c.At, s.now)
	if err := s.checkAbortedAt(&d); err != nil {
		return Outcome{}, err
	}
	s.startDeployment(&d)
	s.abortDeployment(&d)
	return Outcome{Deployment: &d, Created: true}, nil
}

func (s *State) abortDeployment(d *Deployment) {
	s.deployments.put(d)
	s.record(d.event(DeploymentAborted, d.AbortedAt))
}

func (s *State) checkAbortedAt(d *Deployment) error {
	return s.checkOrder(date{"deploy_start_at", d.DeployStartAt}, date{"date", d.AbortedAt})
}
