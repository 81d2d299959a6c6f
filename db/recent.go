package db

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// Names are the projects, teams and environments that something happened in.
type Names struct {
	Projects     []string
	Teams        []string
	Environments []string
}

// Names lists, in order, what there is to choose from in a window: of what was
// deployed in it, began in it and was never deployed, or started in it.
func (s *Store) Names(ctx context.Context, from, to time.Time) (Names, error) {
	rows, err := s.readers.QueryContext(ctx, `
		SELECT project_id, environment, coalesce(team_id, '') FROM deployments INDEXED BY deployments_by_deployed_at
			WHERE deployed_at >= ?1 AND deployed_at < ?2
		UNION SELECT project_id, environment, coalesce(team_id, '') FROM deployments INDEXED BY deployments_unfinished
			WHERE deployed_at IS NULL AND began_at >= ?1 AND began_at < ?2
		UNION SELECT project_id, environment, coalesce(team_id, '') FROM incidents
			WHERE started_at >= ?1 AND started_at < ?2`, millis(from), millis(to))
	if err != nil {
		return Names{}, fmt.Errorf("list names: %w", storeError(err))
	}
	found, err := collect(rows, func(rows *sql.Rows) (l dora.Labels, err error) {
		err = rows.Scan(&l.Project, &l.Environment, &l.Team)
		return l, err
	})
	if err != nil {
		return Names{}, fmt.Errorf("list names: %w", storeError(err))
	}
	var n Names
	for _, l := range found {
		n.Projects, n.Environments = append(n.Projects, l.Project), append(n.Environments, l.Environment)
		if l.Team != "" {
			n.Teams = append(n.Teams, l.Team)
		}
	}
	for _, list := range []*[]string{&n.Projects, &n.Teams, &n.Environments} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return n, nil
}

// RecentEvents lists the events that were recorded last, the newest first.
func (s *Store) RecentEvents(ctx context.Context, limit int) ([]Event, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT seq, kind, project_id, environment, coalesce(team_id, ''), subject_id,
		occurred_at, recorded_at, lead_time_ms, deployment_duration_ms, time_to_detect_ms, time_to_restore_ms
		FROM events ORDER BY seq DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("list recent events: %w", storeError(err))
	}
	events, err := collect(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("list recent events: %w", storeError(err))
	}
	return events, nil
}
