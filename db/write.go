package db

import (
	"fmt"

	"github.com/em-metrics/em-metrics/db/rules"
)

const (
	insertDeployment = `INSERT INTO deployments (project_id, environment, id, team_id, first_commit_at, deploy_start_at,
		planned_deployed_at, deployed_at, rework, failed, began_at, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updateDeployment = `UPDATE deployments SET team_id = ?, planned_deployed_at = ?, deployed_at = ?, rework = ?, failed = ?
		WHERE row = ?`
	// The figures are read from an index of incidents alone, so each repeats when
	// its deployment was deployed.
	updateDeployedAtOfIncidents = `UPDATE incidents SET deployment_deployed_at = ?1
		WHERE deployment_id = ?2 AND project_id = ?3 AND environment = ?4 AND deployment_deployed_at IS NOT ?1`
	deployedAtOfIncident = `(SELECT deployed_at FROM deployments WHERE id = ?4 AND project_id = ?1 AND environment = ?2)`
	insertIncident       = `INSERT INTO incidents (project_id, environment, id, deployment_id, team_id, number, idempotency_key,
		started_at, restored_at, finished_at, recorded_at, deployment_deployed_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ` + deployedAtOfIncident + `)`
	updateIncident = `UPDATE incidents SET deployment_id = ?4, team_id = ?5, restored_at = ?6, finished_at = ?7,
		deployment_deployed_at = ` + deployedAtOfIncident + ` WHERE row = ?3`
	insertEvent = `INSERT INTO events (kind, project_id, environment, team_id, subject_id, occurred_at, recorded_at,
		lead_time_ms, deployment_duration_ms, time_to_detect_ms, time_to_restore_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// write stores what a batch changed.
func (t *tx) write(c rules.Changes) error {
	for _, d := range c.Deployments {
		if err := t.writeDeployment(d); err != nil {
			return fmt.Errorf("write deployment: %w", err)
		}
	}
	for _, i := range c.Incidents {
		if err := t.writeIncident(i); err != nil {
			return fmt.Errorf("write incident: %w", err)
		}
	}
	for _, e := range c.Events {
		err := t.exec(insertEvent, string(e.Kind), e.Project, e.Environment, nullText(e.Team), e.Subject,
			millis(e.OccurredAt), millis(e.RecordedAt), nullMillis(e.LeadTime), nullMillis(e.DeploymentDuration),
			nullMillis(e.TimeToDetect), nullMillis(e.TimeToRestore))
		if err != nil {
			return fmt.Errorf("write %s: %w", e.Kind, err)
		}
	}
	return nil
}

func (t *tx) writeDeployment(d *Deployment) error {
	if d.Row == 0 {
		return t.exec(insertDeployment, d.Project, d.Environment, d.ID, nullText(d.Team), millis(d.FirstCommitAt),
			nullTime(d.DeployStartAt), nullTime(d.PlannedDeployedAt), nullTime(d.DeployedAt), d.Rework, d.Failed,
			millis(d.BeganAt()), millis(d.RecordedAt))
	}
	err := t.exec(updateDeployment, nullText(d.Team), nullTime(d.PlannedDeployedAt), nullTime(d.DeployedAt), d.Rework, d.Failed, d.Row)
	if err != nil || !d.Failed {
		return err
	}
	return t.exec(updateDeployedAtOfIncidents, nullTime(d.DeployedAt), d.ID, d.Project, d.Environment)
}

func (t *tx) writeIncident(i *Incident) error {
	if i.Row == 0 {
		return t.exec(insertIncident, i.Project, i.Environment, i.ID, nullText(i.DeploymentID), nullText(i.Team),
			nullNumber(i.Number), nullText(i.IdempotencyKey), millis(i.StartedAt), nullTime(i.RestoredAt),
			nullTime(i.FinishedAt), millis(i.RecordedAt))
	}
	return t.exec(updateIncident, i.Project, i.Environment, i.Row, nullText(i.DeploymentID), nullText(i.Team),
		nullTime(i.RestoredAt), nullTime(i.FinishedAt))
}
