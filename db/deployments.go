package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

const deploymentColumns = `row, project_id, environment, id, coalesce(team_id, ''), first_commit_at,
	deploy_start_at, planned_deployed_at, deployed_at, rework, failed, recorded_at`

func scanDeployment(rows *sql.Rows) (*Deployment, error) {
	var (
		d                        Deployment
		firstCommit, recorded    int64
		start, planned, deployed sql.NullInt64
	)
	err := rows.Scan(&d.Row, &d.Project, &d.Environment, &d.ID, &d.Team, &firstCommit,
		&start, &planned, &deployed, &d.Rework, &d.Failed, &recorded)
	if err != nil {
		return nil, err
	}
	d.FirstCommitAt, d.RecordedAt = fromMillis(firstCommit), fromMillis(recorded)
	d.DeployStartAt, d.PlannedDeployedAt = fromNullTime(start), fromNullTime(planned)
	d.DeployedAt = fromNullTime(deployed)
	return &d, nil
}

func deployments() relation[*Deployment] {
	return relation[*Deployment]{
		noun: "deployment", table: "deployments", columns: deploymentColumns, order: "began_at", scan: scanDeployment,
		position: func(d *Deployment) Cursor { return Cursor{At: d.BeganAt(), Row: d.Row} },
	}
}

// Deployment returns the one deployment that matches. The error is NotFound or
// Ambiguous when there is not exactly one.
func (s *Store) Deployment(ctx context.Context, ref Ref) (*Deployment, error) {
	return deployments().find(ctx, s.readers.lists, ref)
}

// DeploymentFilter selects deployments. Empty fields match any.
type DeploymentFilter struct {
	Project     string
	Team        string
	Environment string
	// Environments select those that match, unless Environment is set.
	Environments dora.Environments
	// Before selects those that began earlier, unless it is zero.
	Before time.Time
	Page
}

// Deployments lists deployments, newest first by when they began. The cursor
// is where the next page starts, nil after the last one.
func (s *Store) Deployments(ctx context.Context, f DeploymentFilter) ([]*Deployment, *Cursor, error) {
	return deployments().list(ctx, s.readers.lists, f.conditions(), f.Page)
}

func (f DeploymentFilter) conditions() (where conditions) {
	where.labels(dora.Filter{Project: f.Project, Team: f.Team, Environment: f.Environment, Environments: f.Environments})
	where.before("began_at", f.Before)
	return where
}
