package db

import (
	"fmt"
	"time"
)

func (c StartDeployment) do(t *tx) (Outcome, error) {
	c.FirstCommitAt, c.DeployStartAt, c.DeployedAt = precise(c.FirstCommitAt), precise(c.DeployStartAt), precise(c.DeployedAt)
	found, err := t.deployments(c.ref())
	if err != nil {
		return Outcome{}, err
	}
	if len(found) > 0 {
		return c.again(t, found[0])
	}
	c.DeployStartAt = firstKnown(c.DeployStartAt, t.now)
	return c.create(t)
}

func (c StartDeployment) ref() Ref {
	return Ref{ID: c.ID, Project: c.Project, Environment: c.Environment}
}

// create records a deployment that is not known, and that it started.
func (c StartDeployment) create(t *tx) (Outcome, error) {
	err := inOrder(t.now, date{"first_commit_at", c.FirstCommitAt},
		date{"deploy_start_at", c.DeployStartAt}, date{"deployed_at", c.DeployedAt})
	if err != nil {
		return Outcome{}, err
	}
	d := &Deployment{
		Key: c.Key, FirstCommitAt: c.FirstCommitAt, DeployStartAt: c.DeployStartAt, Rework: c.Rework,
		RecordedAt: t.now, plannedDeployedAt: c.DeployedAt,
	}
	fillTeam(&d.Team, c.Team, d.Project)
	began := firstKnown(d.DeployStartAt, c.DeployedAt)
	result, err := t.exec(`INSERT INTO deployments (project_id, environment, id, team_id, first_commit_at,
		deploy_start_at, planned_deployed_at, rework, began_at, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.Project, d.Environment, d.ID, nullText(d.Team), millis(d.FirstCommitAt),
		nullTime(d.DeployStartAt), nullTime(d.plannedDeployedAt), d.Rework, millis(began), millis(t.now))
	if err != nil {
		return Outcome{}, fmt.Errorf("insert deployment: %w", err)
	}
	if d.row, err = result.LastInsertId(); err != nil {
		return Outcome{}, fmt.Errorf("insert deployment: %w", err)
	}
	if err := t.record(d.event(DeploymentStarted, began)); err != nil {
		return Outcome{}, err
	}
	return Outcome{Deployment: d, Created: true}, nil
}

// again compares the command with what is recorded and fills in what was not
// known. It adds no event: the deployment started once.
func (c StartDeployment) again(t *tx, d *Deployment) (Outcome, error) {
	if contradicts(c.FirstCommitAt, d.FirstCommitAt) {
		return Outcome{}, conflict("deployment", date{"first_commit_at", d.FirstCommitAt})
	}
	if contradicts(c.DeployStartAt, d.DeployStartAt) {
		return Outcome{}, conflict("deployment", date{"deploy_start_at", d.DeployStartAt})
	}
	changed := false
	switch planned := firstKnown(d.plannedDeployedAt, d.DeployedAt); {
	case contradicts(c.DeployedAt, planned) && contradicts(c.DeployedAt, d.DeployedAt),
		contradicts(c.DeployedAt, planned) && d.DeployedAt.IsZero():
		return Outcome{}, conflict("deployment", date{"deployed_at", planned})
	case !c.DeployedAt.IsZero() && planned.IsZero():
		if err := d.deployableAt(t.now, c.DeployedAt); err != nil {
			return Outcome{}, err
		}
		d.plannedDeployedAt, changed = c.DeployedAt, true
	}
	if c.Rework && !d.Rework {
		d.Rework, changed = true, true
	}
	if c.FillTeam && fillTeam(&d.Team, c.Team, d.Project) {
		changed = true
	}
	if changed {
		if err := t.updateDeployment(d); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Deployment: d}, nil
}

func (c FinishDeployment) do(t *tx) (Outcome, error) {
	c.DeployedAt = precise(c.DeployedAt)
	found, err := t.deployments(c.Ref)
	if err != nil {
		return Outcome{}, err
	}
	if len(found) == 0 && c.Create != nil {
		return c.create(t)
	}
	d, err := theOne("deployment", c.Ref, found, func(d *Deployment) Key { return d.Key })
	if err != nil {
		return Outcome{}, err
	}
	if contradicts(c.DeployedAt, d.DeployedAt) {
		return Outcome{}, conflict("deployment", date{"deployed_at", d.DeployedAt})
	}
	filled := fillTeam(&d.Team, c.Team, d.Project)
	if d.DeployedAt.IsZero() {
		return c.deploy(t, d)
	}
	if filled {
		if err := t.updateDeployment(d); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Deployment: d}, nil
}

// create records a deployment of which the first word is that it is deployed:
// it has started too, when it is told or, if not, when it was deployed.
func (c FinishDeployment) create(t *tx) (Outcome, error) {
	start := *c.Create
	var absent []FieldError
	if start.Project == "" {
		absent = append(absent, FieldError{"project_id", "is required, because the deployment is not known yet"})
	}
	if start.FirstCommitAt.IsZero() {
		absent = append(absent, FieldError{"first_commit_at", "is required, because the deployment is not known yet"})
	}
	if len(absent) > 0 {
		return Outcome{}, missing(absent...)
	}
	start.FirstCommitAt, start.DeployStartAt = precise(start.FirstCommitAt), precise(start.DeployStartAt)
	start.DeployedAt = firstKnown(c.DeployedAt, t.now)
	outcome, err := start.create(t)
	if err != nil {
		return Outcome{}, err
	}
	outcome, err = c.deploy(t, outcome.Deployment)
	outcome.Created = true
	return outcome, err
}

func (c FinishDeployment) deploy(t *tx, d *Deployment) (Outcome, error) {
	at := firstKnown(c.DeployedAt, d.plannedDeployedAt, t.now)
	if err := d.deployableAt(t.now, at); err != nil {
		return Outcome{}, err
	}
	d.DeployedAt = at
	if err := t.updateDeployment(d); err != nil {
		return Outcome{}, err
	}
	e := d.event(DeploymentDeployed, at)
	e.LeadTime = elapsed(d.FirstCommitAt, at)
	e.DeploymentDuration = elapsed(d.DeployStartAt, at)
	if err := t.record(e); err != nil {
		return Outcome{}, err
	}
	return Outcome{Deployment: d}, nil
}

func (d *Deployment) deployableAt(now, at time.Time) error {
	return inOrder(now, date{"first_commit_at", d.FirstCommitAt},
		date{"deploy_start_at", d.DeployStartAt}, date{"deployed_at", at})
}

func (d *Deployment) event(kind Kind, at time.Time) Event {
	return Event{
		Kind: kind, Project: d.Project, Environment: d.Environment, Team: d.Team, Subject: d.ID, OccurredAt: at,
	}
}

func (t *tx) deployments(ref Ref) ([]*Deployment, error) {
	rows, err := t.query(findDeployments, ref.ID, ref.Project, ref.Environment)
	if err != nil {
		return nil, fmt.Errorf("find deployment: %w", err)
	}
	found, err := collect(rows, scanDeployment)
	if err != nil {
		return nil, fmt.Errorf("find deployment: %w", err)
	}
	return found, nil
}

func (t *tx) updateDeployment(d *Deployment) error {
	_, err := t.exec(`UPDATE deployments SET team_id = ?, planned_deployed_at = ?, deployed_at = ?, rework = ?
		WHERE row = ?`, nullText(d.Team), nullTime(d.plannedDeployedAt), nullTime(d.DeployedAt), d.Rework, d.row)
	if err != nil {
		return fmt.Errorf("update deployment: %w", err)
	}
	return nil
}
