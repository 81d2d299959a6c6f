package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Deployment is a stored deployment. A zero time is one that is unknown or has
// not come.
type Deployment struct {
	Key
	Team          string // empty: unknown
	FirstCommitAt time.Time
	DeployStartAt time.Time
	DeployedAt    time.Time
	Rework        bool
	RecordedAt    time.Time

	row               int64
	plannedDeployedAt time.Time
}

const deploymentColumns = `row, project_id, environment, id, coalesce(team_id, ''), first_commit_at,
	deploy_start_at, planned_deployed_at, deployed_at, rework, recorded_at`

func scanDeployment(rows *sql.Rows) (*Deployment, error) {
	var (
		d                        Deployment
		firstCommit, recorded    int64
		start, planned, deployed sql.NullInt64
	)
	err := rows.Scan(&d.row, &d.Project, &d.Environment, &d.ID, &d.Team, &firstCommit,
		&start, &planned, &deployed, &d.Rework, &recorded)
	if err != nil {
		return nil, err
	}
	d.FirstCommitAt, d.RecordedAt = fromMillis(firstCommit), fromMillis(recorded)
	d.DeployStartAt, d.plannedDeployedAt = fromNullTime(start), fromNullTime(planned)
	d.DeployedAt = fromNullTime(deployed)
	return &d, nil
}

// position is the place of the deployment in the order of lists.
func (d *Deployment) position() Cursor {
	if d.DeployStartAt.IsZero() {
		return Cursor{At: d.DeployedAt, Row: d.row}
	}
	return Cursor{At: d.DeployStartAt, Row: d.row}
}

const findDeployments = `SELECT ` + deploymentColumns + ` FROM deployments
	WHERE id = ?1 AND (?2 = '' OR project_id = ?2) AND (?3 = '' OR environment = ?3)
	ORDER BY project_id, environment LIMIT 10`

// Deployment finds the one deployment that fits. The error is NotFound or
// Ambiguous when there is not exactly one.
func (s *Store) Deployment(ctx context.Context, ref Ref) (*Deployment, error) {
	rows, err := s.readers.QueryContext(ctx, findDeployments, ref.ID, ref.Project, ref.Environment)
	if err != nil {
		return nil, fmt.Errorf("find deployment: %w", storeError(err))
	}
	found, err := collect(rows, scanDeployment)
	if err != nil {
		return nil, fmt.Errorf("find deployment: %w", storeError(err))
	}
	return theOne("deployment", ref, found, func(d *Deployment) Key { return d.Key })
}

// DeploymentFilter chooses deployments. Empty fields match any.
type DeploymentFilter struct {
	Project     string
	Team        string
	Environment string
	Page
}

// Deployments lists deployments, newest first by when they began. The cursor
// is where the next page starts, nil after the last one.
func (s *Store) Deployments(ctx context.Context, f DeploymentFilter) ([]*Deployment, *Cursor, error) {
	where := conditions{}
	where.equal("project_id", f.Project)
	where.equal("team_id", f.Team)
	where.equal("environment", f.Environment)
	where.after("began_at", f.After)
	query, args := where.list(`SELECT `+deploymentColumns+` FROM deployments`, "began_at", f.Page)
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("list deployments: %w", storeError(err))
	}
	found, err := collect(rows, scanDeployment)
	if err != nil {
		return nil, nil, fmt.Errorf("list deployments: %w", storeError(err))
	}
	page, next := cut(found, f.Limit, (*Deployment).position)
	return page, next, nil
}
