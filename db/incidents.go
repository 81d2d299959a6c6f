package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

const incidentColumns = `row, project_id, environment, id, coalesce(team_id, ''), coalesce(number, 0),
	coalesce(idempotency_key, ''), coalesce(deployment_id, ''), started_at, restored_at, finished_at, recorded_at,
	restored_automatically`

func scanIncident(rows *sql.Rows) (*Incident, error) {
	var (
		i                  Incident
		started, recorded  int64
		restored, finished sql.NullInt64
	)
	err := rows.Scan(&i.Row, &i.Project, &i.Environment, &i.ID, &i.Team, &i.Number,
		&i.IdempotencyKey, &i.DeploymentID, &started, &restored, &finished, &recorded,
		&i.RestoredAutomatically)
	if err != nil {
		return nil, err
	}
	i.StartedAt, i.RecordedAt = fromMillis(started), fromMillis(recorded)
	i.RestoredAt, i.FinishedAt = fromNullTime(restored), fromNullTime(finished)
	return &i, nil
}

func incidents() relation[*Incident] {
	return relation[*Incident]{
		noun: "incident", table: "incidents", columns: incidentColumns, order: "started_at", scan: scanIncident,
		position: func(i *Incident) Cursor { return Cursor{At: i.StartedAt, Row: i.Row} },
	}
}

// Incident returns the one incident that matches. The error is NotFound or
// Ambiguous when there is not exactly one.
func (s *Store) Incident(ctx context.Context, ref Ref) (*Incident, error) {
	return incidents().find(ctx, s.readers.lists, ref)
}

// IncidentState selects incidents by how far they have come.
type IncidentState int

// The states of an [IncidentFilter].
const (
	AnyIncident IncidentState = iota
	InProgress                // not restored
	Unfinished                // not finished
	Restored                  // restored, but not finished
)

// IncidentFilter selects incidents. Empty fields match any.
type IncidentFilter struct {
	State       IncidentState
	Project     string
	Team        string
	Environment string
	// Environments select those that match, unless Environment is set.
	Environments dora.Environments
	// OpenAt selects those that had started and were not restored at this time,
	// unless it is zero.
	OpenAt time.Time
	Page
}

// Incidents lists incidents, newest first by when they started. The cursor is
// where the next page starts, nil after the last one.
func (s *Store) Incidents(ctx context.Context, f IncidentFilter) ([]*Incident, *Cursor, error) {
	return incidents().list(ctx, s.readers.lists, f.conditions(), f.Page)
}

func (f IncidentFilter) conditions() (where conditions) {
	switch f.State {
	case InProgress:
		where.add("restored_at IS NULL")
	case Unfinished:
		where.add("finished_at IS NULL")
	case Restored:
		where.add("finished_at IS NULL AND restored_at IS NOT NULL")
	case AnyIncident:
	}
	where.labels(dora.Filter{Project: f.Project, Team: f.Team, Environment: f.Environment, Environments: f.Environments})
	if !f.OpenAt.IsZero() {
		where.before("started_at", f.OpenAt)
		where.add("(restored_at IS NULL OR restored_at >= ?)", millis(f.OpenAt))
	}
	return where
}

// OpenIncidents counts the incidents that are not restored.
func (s *Store) OpenIncidents(ctx context.Context) (int64, error) {
	n, err := query(ctx, s.readers.scrapes, scanNumber, "SELECT count(*) FROM incidents WHERE restored_at IS NULL")
	if err != nil {
		return 0, fmt.Errorf("count open incidents: %w", err)
	}
	return n[0], nil
}
