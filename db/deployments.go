package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/db/rules"
)

const deploymentColumns = `row, project_id, environment, id, coalesce(team_id, ''), coalesce(commit_name, ''), commits, first_commit_at,
	deploy_start_at, planned_deployed_at, deployed_at, aborted_at, rework, rollback, coalesce(lead_time_unknown, ''),
	failed, coalesce(failed_because, ''), rolled_back_at, coalesce(rolled_back_by, ''), recorded_at`

func scanDeployment(rows *sql.Rows) (*Deployment, error) {
	var (
		d                                                      Deployment
		commits, rollback                                      sql.NullInt64
		firstCommit, start, planned, deployed, aborted, rolled sql.NullInt64
		recorded                                               int64
	)
	err := rows.Scan(&d.Row, &d.Project, &d.Environment, &d.ID, &d.Team, &d.Commit, &commits, &firstCommit,
		&start, &planned, &deployed, &aborted, &d.Rework, &rollback, (*string)(&d.NoLeadTime),
		&d.Failed, (*string)(&d.FailedBecause), &rolled, &d.RolledBackBy, &recorded)
	if err != nil {
		return nil, err
	}
	d.Commits = rules.NullInt{V: int(commits.Int64), Valid: commits.Valid}
	d.Rollback = rules.NullBool{V: rollback.Int64 != 0, Valid: rollback.Valid}
	d.FirstCommitAt, d.DeployStartAt, d.PlannedDeployedAt = fromNullTime(firstCommit), fromNullTime(start), fromNullTime(planned)
	d.DeployedAt, d.AbortedAt, d.RolledBackAt = fromNullTime(deployed), fromNullTime(aborted), fromNullTime(rolled)
	d.RecordedAt = fromMillis(recorded)
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

// DeploymentState selects deployments by how far they have come.
type DeploymentState int

// The states of a [DeploymentFilter].
const (
	AnyDeployment      DeploymentState = iota
	StartedDeployment                  // neither deployed nor aborted
	DeployedDeployment                 // deployed, aborted before or not
	AbortedDeployment                  // aborted and not deployed since
	FailedDeployment                   // failed for any reason
)

// DeploymentFilter selects deployments. Empty fields match any.
type DeploymentFilter struct {
	State DeploymentState
	// Commit is the name of the deployed revision; see [rules.SameCommit].
	Commit      string
	Project     string
	Team        string
	Environment string
	// Environments select those that match, unless Environment is set.
	Environments dora.Environments
	// Before selects those that began earlier, unless it is zero.
	Before time.Time
	Page
}

// Deployments lists deployments, newest first: the deployed ones by when they were
// deployed, so that the first one of an environment is live, the aborted ones by when
// they were aborted, and others by when they began. The cursor is where the next page
// starts, nil after the last one.
func (s *Store) Deployments(ctx context.Context, f DeploymentFilter) ([]*Deployment, *Cursor, error) {
	return f.relation().list(ctx, s.readers.lists, f.conditions(), f.Page)
}

// relation returns the deployments in the order of the list, with the index that has
// them in this order.
func (f DeploymentFilter) relation() relation[*Deployment] {
	r := deployments()
	index := ""
	switch f.State {
	case DeployedDeployment:
		r.order, r.position = "deployed_at", func(d *Deployment) Cursor { return Cursor{At: d.DeployedAt, Row: d.Row} }
		index = "deployments_by_deployed_at"
		if f.isOfOnePlace() {
			index = "deployments_live"
		}
	case AbortedDeployment:
		r.order, r.position = "aborted_at", func(d *Deployment) Cursor { return Cursor{At: d.AbortedAt, Row: d.Row} }
		index = "deployments_aborted"
	case StartedDeployment:
		index = "deployments_unfinished"
	case FailedDeployment:
		index = "deployments_failed"
	case AnyDeployment:
	}
	if f.Commit != "" {
		index = "deployments_by_commit" // few have the same commit, so that sorting them costs little
	}
	if index != "" {
		r.table += " INDEXED BY " + index
	}
	return r
}

func (f DeploymentFilter) isOfOnePlace() bool { return f.Project != "" && f.Environment != "" }

func (f DeploymentFilter) conditions() (where conditions) {
	if f.Commit != "" {
		name := rules.CommitName(f.Commit)
		where.add("commit_key = ?", rules.CommitKey(name))
		where.add("(substr(commit_name, 1, length(?)) = ? OR substr(?, 1, length(commit_name)) = commit_name)", name, name, name)
	}
	switch f.State {
	case DeployedDeployment:
		where.add("deployed_at IS NOT NULL")
		if f.isOfOnePlace() {
			where.add("project_id = ? AND environment = ?", f.Project, f.Environment)
			f.Project, f.Environment = "", ""
		}
	case AbortedDeployment:
		where.add("deployed_at IS NULL AND aborted_at IS NOT NULL")
	case StartedDeployment:
		where.add("deployed_at IS NULL AND aborted_at IS NULL")
	case FailedDeployment:
		where.add("failed")
	case AnyDeployment:
	}
	where.labels(dora.Filter{Project: f.Project, Team: f.Team, Environment: f.Environment, Environments: f.Environments})
	where.before("began_at", f.Before)
	return where
}
