package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Incident is a stored incident. A zero time has not come.
type Incident struct {
	Key
	Team         string // empty: unknown
	DeploymentID string // empty: not linked to a deployment
	StartedAt    time.Time
	RestoredAt   time.Time
	FinishedAt   time.Time
	RecordedAt   time.Time

	row int64
}

const incidentColumns = `row, project_id, environment, id, coalesce(team_id, ''), coalesce(deployment_id, ''),
	started_at, restored_at, finished_at, recorded_at`

func scanIncident(rows *sql.Rows) (*Incident, error) {
	var (
		i                  Incident
		started, recorded  int64
		restored, finished sql.NullInt64
	)
	err := rows.Scan(&i.row, &i.Project, &i.Environment, &i.ID, &i.Team, &i.DeploymentID,
		&started, &restored, &finished, &recorded)
	if err != nil {
		return nil, err
	}
	i.StartedAt, i.RecordedAt = fromMillis(started), fromMillis(recorded)
	i.RestoredAt, i.FinishedAt = fromNullTime(restored), fromNullTime(finished)
	return &i, nil
}

func (i *Incident) position() Cursor { return Cursor{At: i.StartedAt, Row: i.row} }

const findIncidents = `SELECT ` + incidentColumns + ` FROM incidents
	WHERE id = ?1 AND (?2 = '' OR project_id = ?2) AND (?3 = '' OR environment = ?3)
	ORDER BY project_id, environment LIMIT 10`

// Incident finds the one incident that fits. The error is NotFound or
// Ambiguous when there is not exactly one.
func (s *Store) Incident(ctx context.Context, ref Ref) (*Incident, error) {
	rows, err := s.readers.QueryContext(ctx, findIncidents, ref.ID, ref.Project, ref.Environment)
	if err != nil {
		return nil, fmt.Errorf("find incident: %w", storeError(err))
	}
	found, err := collect(rows, scanIncident)
	if err != nil {
		return nil, fmt.Errorf("find incident: %w", storeError(err))
	}
	return theOne("incident", ref, found, func(i *Incident) Key { return i.Key })
}

// IncidentState chooses incidents by how far they have come.
type IncidentState int

// The states an [IncidentFilter] can ask for.
const (
	AnyIncident IncidentState = iota
	InProgress                // not restored
	Unfinished                // not finished
)

// IncidentFilter chooses incidents. Empty fields match any.
type IncidentFilter struct {
	State       IncidentState
	Project     string
	Team        string
	Environment string
	Page
}

// Incidents lists incidents, newest first by when they started. The cursor is
// where the next page starts, nil after the last one.
func (s *Store) Incidents(ctx context.Context, f IncidentFilter) ([]*Incident, *Cursor, error) {
	where := conditions{}
	where.equal("project_id", f.Project)
	where.equal("team_id", f.Team)
	where.equal("environment", f.Environment)
	switch f.State {
	case InProgress:
		where.add("restored_at IS NULL")
	case Unfinished:
		where.add("finished_at IS NULL")
	case AnyIncident:
	}
	where.after("started_at", f.After)
	query, args := where.list(`SELECT `+incidentColumns+` FROM incidents`, "started_at", f.Page)
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("list incidents: %w", storeError(err))
	}
	found, err := collect(rows, scanIncident)
	if err != nil {
		return nil, nil, fmt.Errorf("list incidents: %w", storeError(err))
	}
	page, next := cut(found, f.Limit, (*Incident).position)
	return page, next, nil
}

// OpenIncidents counts the incidents that are not restored.
func (s *Store) OpenIncidents(ctx context.Context) (int64, error) {
	var n int64
	err := s.readers.QueryRowContext(ctx, "SELECT count(*) FROM incidents WHERE restored_at IS NULL").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count open incidents: %w", storeError(err))
	}
	return n, nil
}
