package db

import (
	"fmt"
	"time"
)

func (c StartDeployment) do(t *tx) (Outcome, error) {
	c.FirstCommitAt, c.DeployStartAt, c.DeployedAt = precise(c.FirstCommitAt), precise(c.DeployStartAt), precise(c.DeployedAt)
	// Most deployments are new, so to insert it and see is quicker than to ask.
	fresh := c
	fresh.DeployStartAt = firstKnown(c.DeployStartAt, t.now)
	outcome, refusal := fresh.create(t)
	if refusal == nil || !refused(refusal) {
		return outcome, refusal
	}
	found, err := t.deployments(`SELECT `+deploymentColumns+` FROM deployments
		WHERE id = ? AND project_id = ? AND environment = ?`, c.ID, c.Project, c.Environment)
	if err != nil {
		return Outcome{}, err
	}
	if len(found) == 0 {
		return Outcome{}, refusal
	}
	return c.again(t, found[0])
}

// create records a deployment that is not known, and that it started. It
// refuses one that is.
func (c StartDeployment) create(t *tx) (Outcome, error) {
	err := require("deployment", need{"id", c.ID != ""}, need{"project_id", c.Project != ""},
		need{"environment", c.Environment != ""}, need{"first_commit_at", !c.FirstCommitAt.IsZero()})
	if err != nil {
		return Outcome{}, err
	}
	err = inOrder(t.now, date{"first_commit_at", c.FirstCommitAt},
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
	if err := t.insertDeployment(d, began); err != nil {
		return Outcome{}, err
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
		return Outcome{}, otherDate("deployment", date{"first_commit_at", d.FirstCommitAt})
	}
	if contradicts(c.DeployStartAt, d.DeployStartAt) {
		return Outcome{}, otherDate("deployment", date{"deploy_start_at", d.DeployStartAt})
	}
	changed := false
	switch planned := firstKnown(d.plannedDeployedAt, d.DeployedAt); {
	case contradicts(c.DeployedAt, planned) && contradicts(c.DeployedAt, d.DeployedAt),
		contradicts(c.DeployedAt, planned) && d.DeployedAt.IsZero():
		return Outcome{}, otherDate("deployment", date{"deployed_at", planned})
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
	found, err := t.deployments(findDeployments, c.ID, c.Project, c.Environment)
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
		return Outcome{}, otherDate("deployment", date{"deployed_at", d.DeployedAt})
	}
	changed := fillTeam(&d.Team, c.Team, d.Project)
	if c.Rework && !d.Rework {
		d.Rework, changed = true, true
	}
	if d.DeployedAt.IsZero() {
		return c.deploy(t, d)
	}
	if changed {
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
	start.FirstCommitAt, start.DeployStartAt = precise(start.FirstCommitAt), precise(start.DeployStartAt)
	start.DeployedAt, start.Rework = firstKnown(c.DeployedAt, t.now), start.Rework || c.Rework
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

func (t *tx) deployments(query string, args ...any) ([]*Deployment, error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("find deployment: %w", err)
	}
	found, err := collect(rows, scanDeployment)
	if err != nil {
		return nil, fmt.Errorf("find deployment: %w", err)
	}
	return found, nil
}

// insertDeployment refuses, with a Conflict, a deployment that is known.
func (t *tx) insertDeployment(d *Deployment, began time.Time) error {
	result, err := t.exec(`INSERT INTO deployments (project_id, environment, id, team_id, first_commit_at,
		deploy_start_at, planned_deployed_at, rework, began_at, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, d.Project, d.Environment, d.ID, nullText(d.Team), millis(d.FirstCommitAt),
		nullTime(d.DeployStartAt), nullTime(d.plannedDeployedAt), d.Rework, millis(began), millis(t.now))
	if err != nil {
		return fmt.Errorf("insert deployment: %w", err)
	}
	inserted, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("insert deployment: %w", err)
	}
	if inserted == 0 {
		return &Error{Code: Conflict, Message: "the deployment is recorded already"}
	}
	if d.row, err = result.LastInsertId(); err != nil {
		return fmt.Errorf("insert deployment: %w", err)
	}
	return nil
}

func (t *tx) updateDeployment(d *Deployment) error {
	_, err := t.exec(`UPDATE deployments SET team_id = ?, planned_deployed_at = ?, deployed_at = ?, rework = ?
		WHERE row = ?`, nullText(d.Team), nullTime(d.plannedDeployedAt), nullTime(d.DeployedAt), d.Rework, d.row)
	if err != nil {
		return fmt.Errorf("update deployment: %w", err)
	}
	return nil
}
