package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version this binary knows. Each step
// runs in a transaction of its own that takes the write lock first, so several
// processes may start at once on one file. PRAGMA user_version holds how many
// steps have been applied.
func migrate(ctx context.Context, pool *sql.DB, busy time.Duration) error {
	steps, err := migrationSteps()
	if err != nil {
		return err
	}
	// The journal mode is kept in the file itself, so it is set only once the
	// file is known to be a store: another program's stays as it is.
	if _, err := schemaVersion(ctx, pool, len(steps)); err != nil {
		return err
	}
	if err := setJournalMode(ctx, pool, "WAL", busy); err != nil {
		return fmt.Errorf("use a write-ahead log: %w", err)
	}
	for done := false; !done; {
		if done, err = migrateOnce(ctx, pool, steps); err != nil {
			return err
		}
	}
	return nil
}

// execer is a pool or a connection.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// setJournalMode switches between WAL and other modes, which needs the file
// for itself. SQLite refuses that at once, without waiting for the busy timeout,
// while another connection has the file open, so the waiting is done here.
func setJournalMode(ctx context.Context, db execer, mode string, busy time.Duration) error {
	waited := time.After(busy)
	retry := time.NewTicker(time.Millisecond)
	defer retry.Stop()
	for {
		_, err := db.ExecContext(ctx, "PRAGMA journal_mode = "+mode)
		if err == nil || !isBusy(err) {
			return storeError(err)
		}
		select {
		case <-retry.C:
		case <-waited:
			return storeError(err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// migrationSteps returns the names of all scripts, in order.
func migrationSteps() ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	return names, nil
}

func migrateOnce(ctx context.Context, pool *sql.DB, steps []string) (done bool, err error) {
	tx, err := pool.BeginTx(ctx, nil) // immediate, by the data source name
	if err != nil {
		return false, fmt.Errorf("begin migration: %w", storeError(err))
	}
	defer func() {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
	}()

	version, err := schemaVersion(ctx, tx, len(steps))
	if err != nil {
		return false, err
	}
	if version == len(steps) {
		return true, nil
	}
	script, err := migrations.ReadFile(steps[version])
	if err != nil {
		return false, fmt.Errorf("read migration: %w", err)
	}
	if _, err := tx.ExecContext(ctx, string(script)); err != nil {
		return false, fmt.Errorf("apply %s: %w", steps[version], storeError(err))
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1)); err != nil {
		return false, fmt.Errorf("set schema version: %w", storeError(err))
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("commit %s: %w", steps[version], storeError(err))
	}
	return false, nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaVersion reads the version. It refuses one that is newer than is known,
// and a file that another program made: it would have tables but no version.
func schemaVersion(ctx context.Context, from querier, known int) (int, error) {
	var version, tables int
	// One statement, so that another process cannot migrate between two.
	err := from.QueryRowContext(ctx, `SELECT user_version, (SELECT count(*) FROM sqlite_schema WHERE type = 'table')
		FROM pragma_user_version`).Scan(&version, &tables)
	if err != nil {
		return 0, fmt.Errorf("read schema version: %w", storeError(err))
	}
	if version == 0 && tables > 0 {
		return 0, errors.New("the file is the database of another program " +
			"(it has tables but no em-metrics schema version): name another file")
	}
	if version > known {
		return 0, fmt.Errorf("the database has schema version %d and this em-metrics knows only %d: "+
			"start a newer em-metrics, or restore the backup made before the upgrade", version, known)
	}
	return version, nil
}
