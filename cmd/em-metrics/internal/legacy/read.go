// Package legacy turns the database of the older Node service into requests to
// em-metrics.
package legacy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver of the older service's files
)

// Database is the content of the older service's database.
type Database struct {
	Deployments []Deployment
	Incidents   []Incident
	// Others are the tables that have no counterpart in em-metrics.
	Others []Table
}

// Deployment is a row of the older service: text as its clients sent it, empty
// where there is none.
type Deployment struct {
	ID, Project, FirstCommitAt, DeployStartAt, DeployedAt string
}

// Incident is a row of the older service: text as its clients sent it, empty
// where there is none.
type Incident struct {
	ID, Project, Deployment, StartedAt, RestoredAt, FinishedAt, Team string
}

// Table is a table that is not read and its number of rows, which is not zero.
type Table struct {
	Name string
	Rows int
}

// Read reads the whole database at path in one transaction. It opens the file
// read-only. If the write-ahead log of the database is missing, the error is a
// [*MissingLogError], unless withoutLog is set.
func Read(ctx context.Context, path string, withoutLog bool) (d Database, err error) {
	if info, err := os.Stat(path); err != nil {
		return d, fmt.Errorf("open the database of the older service: %w", err)
	} else if info.IsDir() {
		return d, fmt.Errorf("open the database of the older service: %s is a directory", path)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s: %w", path, err)
		}
	}()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return d, err
	}
	query := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	missing, err := missesLog(path)
	if err != nil {
		return d, err
	}
	if missing && !withoutLog {
		return d, &MissingLogError{Path: path}
	}
	if missing {
		query.Set("immutable", "1") // or SQLite would create an empty log
	}
	source := url.URL{Scheme: "file", Opaque: (&url.URL{Path: absolute}).EscapedPath(), RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", source.String())
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	return d, d.read(ctx, tx)
}

// The columns that every version of the older service had.
var (
	deploymentColumns = [...]string{"id", "project_id", "first_commit_at", "deploy_start_at", "deployed_at"}
	incidentColumns   = [...]string{"id", "project_id", "deployment_id", "started_at", "restored_at", "finished_at"}
)

func (d *Database) read(ctx context.Context, tx *sql.Tx) error {
	if err := checkSchema(ctx, tx); err != nil {
		return err
	}
	err := readRows(ctx, tx, "deployments", deploymentColumns[:], func(v []string) {
		d.Deployments = append(d.Deployments, Deployment{v[0], v[1], v[2], v[3], v[4]})
	})
	if err != nil {
		return err
	}
	columns := incidentColumns[:]
	hasTeam, err := hasColumn(ctx, tx, "incidents", "team_id") // since a later version
	if err != nil {
		return err
	}
	if hasTeam {
		columns = append(columns, "team_id")
	}
	err = readRows(ctx, tx, "incidents", columns, func(v []string) {
		v = append(v, "")
		d.Incidents = append(d.Incidents, Incident{v[0], v[1], v[2], v[3], v[4], v[5], v[6]})
	})
	if err != nil {
		return err
	}
	return d.countOthers(ctx, tx)
}

// checkSchema returns an error unless the tables are those of the older service.
func checkSchema(ctx context.Context, tx *sql.Tx) error {
	for table, columns := range map[string][]string{
		"deployments": deploymentColumns[:], "incidents": incidentColumns[:],
	} {
		for _, column := range columns {
			has, err := hasColumn(ctx, tx, table, column)
			if err != nil {
				return err
			}
			if !has {
				return fmt.Errorf("not a database of the older service: column %s.%s is missing", table, column)
			}
		}
	}
	ours, err := hasColumn(ctx, tx, "events", "occurred_at")
	if err == nil && ours {
		err = errors.New("already a database of this em-metrics: set SQLITE_DB to it instead of migrating it")
	}
	return err
}

func hasColumn(ctx context.Context, tx *sql.Tx, table, column string) (has bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?) WHERE name = ?)", table, column).Scan(&has)
	if err != nil {
		return false, fmt.Errorf("list the columns of %s: %w", table, err)
	}
	return has, nil
}

// readRows reads columns of a table as text, in the order in which the rows were
// written. The names are constants of this file.
func readRows(ctx context.Context, tx *sql.Tx, table string, columns []string, each func([]string)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("table %s: %w", table, err)
		}
	}()
	query := "SELECT "
	for _, c := range columns {
		query += "coalesce(CAST(" + c + " AS TEXT), ''), "
	}
	rows, err := tx.QueryContext(ctx, query+"rowid FROM "+table+" ORDER BY rowid") //nolint:gosec // names, not values
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var rowID int64
	for rows.Next() {
		values := make([]string, len(columns))
		targets := make([]any, 0, len(columns)+1)
		for i := range values {
			targets = append(targets, &values[i])
		}
		if err := rows.Scan(append(targets, &rowID)...); err != nil {
			return err
		}
		each(values)
	}
	return rows.Err()
}

func (d *Database) countOthers(ctx context.Context, tx *sql.Tx) error {
	for _, table := range []string{"tickets", "pull_requests"} {
		has, err := hasColumn(ctx, tx, table, "id")
		if err != nil {
			return err
		}
		if !has {
			continue
		}
		t := Table{Name: table}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&t.Rows); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		if t.Rows > 0 {
			d.Others = append(d.Others, t)
		}
	}
	return nil
}
