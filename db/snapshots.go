package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// snapshotPart is the number of bytes of a snapshot written in one transaction,
	// so that no call waits for more.
	snapshotPart = 256 << 10
	// snapshotLife is the age at which a snapshot of another layout is removed: until
	// then a replica of the version before may need it.
	snapshotLife = 7 * 24 * time.Hour
)

// Snapshot is the state of an exporter after one of the events.
type Snapshot struct {
	Layout  string // what the content means; others are of no use
	Epoch   string // of the history
	Last    Event  // the last event in it
	Content []byte
}

// ErrOtherHistory is returned for a snapshot of events that the store does not hold.
var ErrOtherHistory = errors.New("the store holds another history")

// SaveSnapshot stores a snapshot, in many small transactions between those of Do,
// and removes the older ones that it replaces. What is left of one that did not
// succeed is never used.
func (s *Store) SaveSnapshot(ctx context.Context, sn Snapshot) error {
	id := rand.Text()
	parts := max(1, (len(sn.Content)+snapshotPart-1)/snapshotPart)
	for part := range parts {
		content := sn.Content[part*snapshotPart : min((part+1)*snapshotPart, len(sn.Content))]
		err := s.writer.between(ctx, func(t *tx) error {
			held, err := t.holds(sn.Epoch, sn.Last)
			if err != nil {
				return err
			}
			if !held {
				return ErrOtherHistory
			}
			return t.exec(`INSERT INTO snapshots (id, part, parts, layout, epoch, seq, saved_at, content)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
				id, part, parts, sn.Layout, sn.Epoch, sn.Last.Seq, millis(s.now()), content)
		})
		if err != nil {
			return fmt.Errorf("save snapshot: %w", err)
		}
	}
	if err := s.removeSnapshots(ctx, id, sn); err != nil {
		return fmt.Errorf("remove snapshots: %w", err)
	}
	return nil
}

// removeSnapshots removes what the snapshot with the id replaces, and those that
// have not been of use for long.
func (s *Store) removeSnapshots(ctx context.Context, id string, by Snapshot) error {
	type key struct {
		id   string
		part int64
	}
	scan := func(rows *sql.Rows) (k key, err error) {
		return k, rows.Scan(&k.id, &k.part)
	}
	old, err := query(ctx, s.readers.scrapes, scan, `SELECT id, part FROM snapshots
		WHERE id <> $1 AND (layout = $2 AND (epoch <> $3 OR seq <= $4) OR saved_at < $5)`,
		id, by.Layout, by.Epoch, by.Last.Seq, millis(s.now().Add(-snapshotLife)))
	if err != nil {
		return err
	}
	for _, k := range old {
		err := s.writer.between(ctx, func(t *tx) error {
			return t.exec("DELETE FROM snapshots WHERE id = $1 AND part = $2", k.id, k.part)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SnapshotSeq returns the last event in the newest complete snapshot of a layout
// and an epoch, 0 if there is none.
func (s *Store) SnapshotSeq(ctx context.Context, layout, epoch string) (seq int64, err error) {
	_, seq, err = s.newestSnapshot(ctx, layout, epoch)
	return seq, err
}

// LoadSnapshot returns the content of the newest complete snapshot of a layout and
// an epoch, nil if there is none.
func (s *Store) LoadSnapshot(ctx context.Context, layout, epoch string) ([]byte, error) {
	id, _, err := s.newestSnapshot(ctx, layout, epoch)
	if err != nil || id == "" {
		return nil, err
	}
	scan := func(rows *sql.Rows) (part []byte, err error) { return part, rows.Scan(&part) }
	parts, err := query(ctx, s.readers.scrapes, scan, "SELECT content FROM snapshots WHERE id = $1 ORDER BY part", id)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	var content []byte
	for _, part := range parts {
		content = append(content, part...)
	}
	return content, nil
}

func (s *Store) newestSnapshot(ctx context.Context, layout, epoch string) (id string, seq int64, err error) {
	scan := func(rows *sql.Rows) (struct{}, error) { return struct{}{}, rows.Scan(&id, &seq) }
	_, err = query(ctx, s.readers.scrapes, scan, `SELECT id, seq FROM snapshots WHERE layout = $1 AND epoch = $2
		GROUP BY id, seq, parts HAVING count(*) = parts ORDER BY seq DESC, id LIMIT 1`, layout, epoch)
	if err != nil {
		return "", 0, fmt.Errorf("find snapshot: %w", err)
	}
	return id, seq, nil
}
