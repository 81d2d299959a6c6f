package db

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/em-metrics/em-metrics/db/rules"
)

// chunk is how many rows share one statement.
const chunk = 8

// Rows are inserted OR FAIL, which keeps what a statement did before it failed
// and so needs no journal of it: the writer rolls the transaction back anyway.

const (
	insertDeployments = `INSERT OR FAIL INTO deployments (project_id, environment, id, team_id, commit_name, commit_key, commits,
		first_commit_at, deploy_start_at, planned_deployed_at, deployed_at, aborted_at, rework, rollback, lead_time_unknown,
		failed, failed_because, rolled_back_at, rolled_back_by, began_at, recorded_at) VALUES `
	updateDeployment = `UPDATE deployments SET team_id = ?, commit_name = ?, commit_key = ?, commits = ?,
		first_commit_at = ?, planned_deployed_at = ?, deployed_at = ?, aborted_at = ?, rework = ?, rollback = ?, lead_time_unknown = ?,
		failed = ?, failed_because = ?, rolled_back_at = ?, rolled_back_by = ? WHERE row = ?`
	insertCommits = `INSERT INTO deployment_commits (deployment, names, dates)
		SELECT row, ?4, ?5 FROM deployments WHERE id = ?1 AND project_id = ?2 AND environment = ?3`
	deleteCommits = `DELETE FROM deployment_commits
		WHERE deployment = (SELECT row FROM deployments WHERE id = ? AND project_id = ? AND environment = ?)`
	// The figures are read from an index of incidents alone, so each repeats when
	// its deployment was deployed.
	updateDeployedAtOfIncidents = `UPDATE incidents SET deployment_deployed_at = ?1
		WHERE deployment_id = ?2 AND project_id = ?3 AND environment = ?4 AND deployment_deployed_at IS NOT ?1`
	deployedAtOfIncident = `(SELECT deployed_at FROM deployments WHERE id = ?4 AND project_id = ?1 AND environment = ?2)`
	insertIncident       = `INSERT INTO incidents (project_id, environment, id, deployment_id, team_id, number, idempotency_key,
		started_at, restored_at, finished_at, recorded_at, restored_automatically, deployment_deployed_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ` + deployedAtOfIncident + `)`
	updateIncident = `UPDATE incidents SET deployment_id = ?4, team_id = ?5, restored_at = ?6, finished_at = ?7, restored_automatically = ?8,
		deployment_deployed_at = ` + deployedAtOfIncident + ` WHERE row = ?3`
	countIncident = `INSERT INTO incident_counts (project_id, incidents) VALUES (?, 1)
		ON CONFLICT (project_id) DO UPDATE SET incidents = incidents + 1`
	insertEvents = `INSERT OR FAIL INTO events (kind, project_id, environment, team_id, subject_id, occurred_at, recorded_at,
		lead_time_ms, deployment_duration_ms, time_to_detect_ms, time_to_restore_ms) VALUES `
)

// write stores what a batch changed.
func (t *tx) write(c rules.Changes) error {
	if err := t.writeDeployments(c.Deployments); err != nil {
		return fmt.Errorf("write deployments: %w", err)
	}
	for _, l := range c.Commits {
		if err := t.writeCommits(l); err != nil {
			return fmt.Errorf("write commits: %w", err)
		}
	}
	for _, i := range c.Incidents {
		if err := t.writeIncident(i); err != nil {
			return fmt.Errorf("write incident: %w", err)
		}
	}
	if err := t.writeEvents(c.Events); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

func (t *tx) writeDeployments(changed []*Deployment) error {
	const columns = 21
	added := make([]any, 0, columns*len(changed))
	for _, d := range changed {
		if d.Row > 0 {
			if err := t.updateDeployment(d); err != nil {
				return err
			}
			continue
		}
		added = append(added, d.Project, d.Environment, d.ID, nullText(d.Team), nullText(d.Commit), nullText(rules.CommitKey(d.Commit)),
			nullInt(d.Commits), nullTime(d.FirstCommitAt), nullTime(d.DeployStartAt), nullTime(d.PlannedDeployedAt),
			nullTime(d.DeployedAt), nullTime(d.AbortedAt), d.Rework, nullBool(d.Rollback), nullText(string(d.NoLeadTime)),
			d.Failed, nullText(string(d.FailedBecause)), nullTime(d.RolledBackAt), nullText(d.RolledBackBy),
			millis(d.BeganAt()), millis(d.RecordedAt))
	}
	return t.insert(insertDeployments, columns, added)
}

func (t *tx) updateDeployment(d *Deployment) error {
	err := t.exec(updateDeployment, nullText(d.Team), nullText(d.Commit), nullText(rules.CommitKey(d.Commit)), nullInt(d.Commits),
		nullTime(d.FirstCommitAt), nullTime(d.PlannedDeployedAt), nullTime(d.DeployedAt), nullTime(d.AbortedAt),
		d.Rework, nullBool(d.Rollback), nullText(string(d.NoLeadTime)),
		d.Failed, nullText(string(d.FailedBecause)), nullTime(d.RolledBackAt), nullText(d.RolledBackBy), d.Row)
	if err != nil || !d.Failed {
		return err
	}
	return t.exec(updateDeployedAtOfIncidents, nullTime(d.DeployedAt), d.ID, d.Project, d.Environment)
}

// writeCommits replaces the commits of a deployment. They are added once, and removed
// if it turns out to have brought none.
func (t *tx) writeCommits(l *rules.CommitList) error {
	if len(l.Commits) == 0 {
		return t.exec(deleteCommits, l.ID, l.Project, l.Environment)
	}
	var names, dates strings.Builder
	for i, c := range l.Commits {
		if i > 0 {
			names.WriteByte('\n')
			dates.WriteByte('\n')
		}
		names.WriteString(c.Name)
		dates.WriteString(strconv.FormatInt(millis(c.At), 10))
	}
	return t.exec(insertCommits, l.ID, l.Project, l.Environment, names.String(), dates.String())
}

func (t *tx) writeIncident(i *Incident) error {
	if i.Row == 0 {
		if err := t.exec(countIncident, i.Project); err != nil {
			return err
		}
		return t.exec(insertIncident, i.Project, i.Environment, i.ID, nullText(i.DeploymentID), nullText(i.Team),
			nullNumber(i.Number), nullText(i.IdempotencyKey), millis(i.StartedAt), nullTime(i.RestoredAt),
			nullTime(i.FinishedAt), millis(i.RecordedAt), i.RestoredAutomatically)
	}
	return t.exec(updateIncident, i.Project, i.Environment, i.Row, nullText(i.DeploymentID), nullText(i.Team),
		nullTime(i.RestoredAt), nullTime(i.FinishedAt), i.RestoredAutomatically)
}

func (t *tx) writeEvents(events []Event) error {
	const columns = 11
	added := make([]any, 0, columns*len(events))
	for _, e := range events {
		added = append(added, string(e.Kind), e.Project, e.Environment, nullText(e.Team), e.Subject,
			millis(e.OccurredAt), millis(e.RecordedAt), nullMillis(e.LeadTime), nullMillis(e.DeploymentDuration),
			nullMillis(e.TimeToDetect), nullMillis(e.TimeToRestore))
	}
	return t.insert(insertEvents, columns, added)
}

// insert adds rows in order. The statement ends before its values.
func (t *tx) insert(statement string, columns int, values []any) error {
	return eachChunk(columns, values, func(placeholders string, values []any) error {
		return t.exec(statement+placeholders, values...)
	})
}

// eachChunk calls do with the values of several rows and their placeholders, as
// a statement costs more than a row in it. There are only two sizes of chunks,
// so that their statements stay prepared.
func eachChunk(columns int, values []any, do func(placeholders string, values []any) error) error {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	for len(values) > 0 {
		rows := 1
		if len(values) >= chunk*columns {
			rows = chunk
		}
		n := rows * columns
		if err := do(row+strings.Repeat(", "+row, rows-1), values[:n]); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}
