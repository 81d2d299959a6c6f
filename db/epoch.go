package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
)

// Epoch returns the name of the history that the events belong to. It changes when
// a process has found another history than before and called [Store.RenewEpoch].
func (s *Store) Epoch(ctx context.Context) (string, error) {
	epoch, err := query(ctx, s.readers.scrapes, scanText, "SELECT epoch FROM history")
	if err != nil {
		return "", fmt.Errorf("read the epoch: %w", err)
	}
	return epoch[0], nil
}

// RenewEpoch gives the history a new name, unless its name is no longer the old
// one. Every process then starts again with the first event, and no snapshot from
// before is used.
func (s *Store) RenewEpoch(ctx context.Context, old string) error {
	err := s.writer.between(ctx, func(t *tx) error {
		return t.exec("UPDATE history SET epoch = $1 WHERE epoch = $2", rand.Text(), old)
	})
	if err != nil {
		return fmt.Errorf("renew the epoch: %w", err)
	}
	return nil
}

// Holds reports whether the history has this name and holds this very event. An
// event that was read before is missing or another one after a backup was restored
// into the open file, for example by the command .restore of sqlite3.
func (s *Store) Holds(ctx context.Context, epoch string, e Event) (bool, error) {
	found, err := query(ctx, s.readers.scrapes, scanEvent, selectHeld, e.Seq, epoch)
	if err != nil {
		return false, fmt.Errorf("read event %d: %w", e.Seq, err)
	}
	return len(found) == 1 && found[0] == e, nil
}

const selectHeld = selectEvents + " WHERE seq = $1 AND EXISTS (SELECT 1 FROM history WHERE epoch = $2)"

// holds is [Store.Holds] in a transaction.
func (t *tx) holds(epoch string, e Event) (bool, error) {
	rows, err := t.query(selectHeld, e.Seq, epoch)
	if err != nil {
		return false, err
	}
	found, err := collect(rows, scanEvent)
	return len(found) == 1 && found[0] == e, err
}

// nameHistory gives the history of a new store its first name.
func nameHistory(ctx context.Context, pool *sql.DB) error {
	var epoch string
	err := pool.QueryRowContext(ctx, "SELECT epoch FROM history").Scan(&epoch)
	if err == nil && epoch == "" { // asked first, because any UPDATE needs the write lock
		_, err = pool.ExecContext(ctx, "UPDATE history SET epoch = $1 WHERE epoch = ''", rand.Text())
	}
	if err != nil {
		return fmt.Errorf("name the history: %w", storeError(err))
	}
	return nil
}
