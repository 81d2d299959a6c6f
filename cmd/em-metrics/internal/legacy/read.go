package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// legacyDeployment is a row of the older service: texts as its clients sent
// them, empty where there is none.
type legacyDeployment struct {
	id, project, firstCommitAt, deployStartAt, deployedAt string
}

// legacyIncident is a row of the older service.
type legacyIncident struct {
	id, project, deployment, startedAt, restoredAt, finishedAt, team string
}

// legacyStore is what the database of the older service holds.
type legacyStore struct {
	deployments []legacyDeployment
	incidents   []legacyIncident
	others      []legacyTable
}

// legacyTable is a table of which em-metrics has no counterpart.
type legacyTable struct {
	name string
	rows int
}

// readLegacy reads the whole database in one transaction. It opens the file
// for reading only.
func readLegacy(ctx context.Context, path string) (s legacyStore, err error) {
	if info, err := os.Stat(path); err != nil {
		return s, fmt.Errorf("open the database of the older service: %w", err)
	} else if info.IsDir() {
		return s, fmt.Errorf("open the database of the older service: %s is a folder", path)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s: %w", path, err)
		}
	}()
	if path, err = filepath.Abs(path); err != nil {
		return s, err
	}
	query := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	source := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", source.String())
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	return s, s.read(ctx, tx)
}

func (s *legacyStore) read(ctx context.Context, tx *sql.Tx) error {
	if err := checkLegacy(ctx, tx); err != nil {
		return err
	}
	err := legacyRows(ctx, tx, "deployments", []string{"id", "project_id", "first_commit_at", "deploy_start_at", "deployed_at"},
		func(v []string) {
			s.deployments = append(s.deployments, legacyDeployment{v[0], v[1], v[2], v[3], v[4]})
		})
	if err != nil {
		return err
	}
	columns := []string{"id", "project_id", "deployment_id", "started_at", "restored_at", "finished_at"}
	hasTeam, err := legacyHas(ctx, tx, "incidents", "team_id") // its later versions
	if err != nil {
		return err
	}
	if hasTeam {
		columns = append(columns, "team_id")
	}
	err = legacyRows(ctx, tx, "incidents", columns, func(v []string) {
		v = append(v, "")
		s.incidents = append(s.incidents, legacyIncident{v[0], v[1], v[2], v[3], v[4], v[5], v[6]})
	})
	if err != nil {
		return err
	}
	return s.countOthers(ctx, tx)
}

// checkLegacy tells a database of the older service from others by its
// columns.
func checkLegacy(ctx context.Context, tx *sql.Tx) error {
	for table, columns := range map[string][]string{
		"deployments": {"id", "project_id", "first_commit_at", "deploy_start_at", "deployed_at"},
		"incidents":   {"id", "project_id", "deployment_id", "started_at", "restored_at", "finished_at"},
	} {
		for _, column := range columns {
			has, err := legacyHas(ctx, tx, table, column)
			if err != nil {
				return err
			}
			if !has {
				return fmt.Errorf("it is not a database of the older service: it has no column %s.%s", table, column)
			}
		}
	}
	ours, err := legacyHas(ctx, tx, "events", "occurred_at")
	if err == nil && ours {
		err = errors.New("it is a database of this em-metrics: name it in SQLITE_DB, there is nothing to migrate")
	}
	return err
}

func legacyHas(ctx context.Context, tx *sql.Tx, table, column string) (has bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?) WHERE name = ?)", table, column).Scan(&has)
	if err != nil {
		return false, fmt.Errorf("look at its tables: %w", err)
	}
	return has, nil
}

// legacyRows reads columns of a table as texts, in the order in which the rows
// were written. The names are constants of this file.
func legacyRows(ctx context.Context, tx *sql.Tx, table string, columns []string, each func([]string)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("table %s: %w", table, err)
		}
	}()
	query := "SELECT "
	for _, c := range columns {
		query += "coalesce(CAST(" + c + " AS TEXT), ''), "
	}
	rows, err := tx.QueryContext(ctx, query+"rowid FROM "+table+" ORDER BY rowid") //nolint:gosec // names, no values
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var number int64
	for rows.Next() {
		values := make([]string, len(columns))
		into := make([]any, 0, len(columns)+1)
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(append(into, &number)...); err != nil {
			return err
		}
		each(values)
	}
	return rows.Err()
}

func (s *legacyStore) countOthers(ctx context.Context, tx *sql.Tx) error {
	for _, table := range []string{"tickets", "pull_requests"} {
		has, err := legacyHas(ctx, tx, table, "id")
		if err != nil {
			return err
		}
		if !has {
			continue
		}
		t := legacyTable{name: table}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&t.rows); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		if t.rows > 0 {
			s.others = append(s.others, t)
		}
	}
	return nil
}
