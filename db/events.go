package db

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"
)

const selectEvents = `SELECT seq, kind, project_id, environment, coalesce(team_id, ''), subject_id,
	occurred_at, recorded_at, lead_time_ms, deployment_duration_ms, time_to_detect_ms, time_to_restore_ms FROM events`

// EventsAfter streams the events with a greater sequence number than seq, in
// order. An error ends the stream.
func (s *Store) EventsAfter(ctx context.Context, seq int64) iter.Seq2[Event, error] {
	return s.EventsBetween(ctx, seq, math.MaxInt64)
}

// EventsBetween streams the events after the sequence number seq up to last,
// in order. An error ends the stream.
func (s *Store) EventsBetween(ctx context.Context, seq, last int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		leave, err := s.readers.scrapes.enter(ctx)
		if err != nil {
			yield(Event{}, fmt.Errorf("read events after %d: %w", seq, err))
			return
		}
		defer leave()
		rows, err := s.readers.scrapes.pool.QueryContext(ctx, selectEvents+" WHERE seq > ? AND seq <= ? ORDER BY seq", seq, last)
		if err != nil {
			yield(Event{}, fmt.Errorf("read events after %d: %w", seq, storeError(err)))
			return
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scanEvent(rows)
			if err != nil {
				yield(Event{}, fmt.Errorf("scan event after %d: %w", seq, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Event{}, fmt.Errorf("read events after %d: %w", seq, storeError(err)))
		}
	}
}

func scanEvent(rows *sql.Rows) (Event, error) {
	var (
		e                                 Event
		occurred, recorded                int64
		lead, deployment, detect, restore sql.NullInt64
	)
	err := rows.Scan(&e.Seq, (*string)(&e.Kind), &e.Project, &e.Environment, &e.Team, &e.Subject,
		&occurred, &recorded, &lead, &deployment, &detect, &restore)
	if err != nil {
		return Event{}, err
	}
	e.OccurredAt, e.RecordedAt = fromMillis(occurred), fromMillis(recorded)
	e.LeadTime, e.DeploymentDuration = duration(lead), duration(deployment)
	e.TimeToDetect, e.TimeToRestore = duration(detect), duration(restore)
	return e, nil
}

// LastEvent returns the sequence number of the newest event, 0 when there is
// none.
func (s *Store) LastEvent(ctx context.Context) (int64, error) {
	seq, err := query(ctx, s.readers.scrapes, scanNumber, "SELECT coalesce(max(seq), 0) FROM events")
	if err != nil {
		return 0, fmt.Errorf("read last event: %w", err)
	}
	return seq[0], nil
}
