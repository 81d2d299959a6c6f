package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/em-metrics/em-metrics/db/dora"
)

// snapshot runs read in a transaction, in which every query sees the same
// state of the store.
func (l *lane) snapshot(ctx context.Context, read func(*sql.Tx) error) (err error) {
	leave, err := l.enter(ctx)
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer leave()
	tx, err := l.pool.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin reading: %w", storeError(err))
	}
	defer func() {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) && err == nil {
			err = fmt.Errorf("end reading: %w", storeError(rollback))
		}
	}()
	return read(tx)
}

// aggregate adds the deployments and incidents that match a query.
func (l *lane) aggregate(ctx context.Context, q dora.Query, a aggregator) error {
	return l.snapshot(ctx, func(tx *sql.Tx) error {
		shared, err := sharedLabels(ctx, tx)
		if err != nil {
			return err
		}
		r := figuresReader{tx: tx, query: q, into: a, shared: shared}
		for _, add := range []func(context.Context) error{
			r.addDeployments, r.addCommits, r.addUnfinished, r.addAborted, r.addOpenIncidents, r.addRestoredIncidents, r.addRecoveries,
		} {
			if err := add(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// sharedLabels returns the project and the environment of everything in the store,
// empty if there are several. They need not be read from every row.
func sharedLabels(ctx context.Context, tx *sql.Tx) (shared dora.Labels, err error) {
	for column, label := range map[string]*string{"project_id": &shared.Project, "environment": &shared.Environment} {
		var first, last string
		if err := tx.QueryRowContext(ctx, sharedLabelQuery(column)).Scan(&first, &last); err != nil {
			return dora.Labels{}, err
		}
		if first == last {
			*label = first
		}
	}
	return shared, nil
}

// sharedLabelQuery selects the first and the last value of a column, each from an
// end of an index.
func sharedLabelQuery(column string) string {
	return strings.ReplaceAll(`SELECT coalesce(min(name), ''), coalesce(max(name), '') FROM (
		SELECT min(label) AS name FROM deployments UNION ALL SELECT max(label) FROM deployments
		UNION ALL SELECT min(label) FROM incidents UNION ALL SELECT max(label) FROM incidents)`, "label", column)
}

// figuresReader reads what matches a query from one snapshot of the store.
type figuresReader struct {
	tx     *sql.Tx
	query  dora.Query
	into   aggregator
	shared dora.Labels // those that all rows have
}

// aggregator is what deployments and incidents are added to.
type aggregator interface {
	// GroupBy returns the labels that must be read.
	GroupBy() dora.GroupBy
	// AddDeployment adds a deployment that was deployed, in the order of the dates.
	AddDeployment(dora.Labels, dora.Deployment) error
	AddUnfinished(l dora.Labels, beganAt int64) error
	AddAborted(l dora.Labels, abortedAt int64) error
	// AddCommits adds the commits of a deployment that was deployed.
	AddCommits(dora.Labels, dora.Commits) error
	AddIncident(dora.Labels, dora.Incident) error
	// AddRecovery adds a failed deployment that has recovered.
	AddRecovery(dora.Labels, dora.Recovery) error
}

// together adds to several aggregators, so that one pass over the store serves
// all of them.
type together []aggregator

// GroupBy returns the labels that at least one of them groups by.
func (t together) GroupBy() (by dora.GroupBy) {
	for _, a := range t {
		one := a.GroupBy()
		by.Project, by.Team, by.Environment = by.Project || one.Project, by.Team || one.Team, by.Environment || one.Environment
	}
	return by
}

// AddDeployment adds a deployment to all of them.
func (t together) AddDeployment(l dora.Labels, d dora.Deployment) error {
	return t.each(func(a aggregator) error { return a.AddDeployment(l, d) })
}

// AddUnfinished adds an unfinished deployment to all of them.
func (t together) AddUnfinished(l dora.Labels, beganAt int64) error {
	return t.each(func(a aggregator) error { return a.AddUnfinished(l, beganAt) })
}

// AddAborted adds an aborted deployment to all of them.
func (t together) AddAborted(l dora.Labels, abortedAt int64) error {
	return t.each(func(a aggregator) error { return a.AddAborted(l, abortedAt) })
}

// AddCommits adds the commits of a deployment to all of them.
func (t together) AddCommits(l dora.Labels, c dora.Commits) error {
	return t.each(func(a aggregator) error { return a.AddCommits(l, c) })
}

// AddIncident adds an incident to all of them.
func (t together) AddIncident(l dora.Labels, i dora.Incident) error {
	return t.each(func(a aggregator) error { return a.AddIncident(l, i) })
}

// AddRecovery adds a failed deployment that has recovered to all of them.
func (t together) AddRecovery(l dora.Labels, r dora.Recovery) error {
	return t.each(func(a aggregator) error { return a.AddRecovery(l, r) })
}

func (t together) each(add func(aggregator) error) error {
	for _, a := range t {
		if err := add(a); err != nil {
			return err
		}
	}
	return nil
}

func (r *figuresReader) addDeployments(ctx context.Context) error {
	rows := numbersQuery{
		numbers: []string{
			"deployed_at * 4 + rework * 2 + failed", // one column costs less than three
			"coalesce(first_commit_at, -1)", "coalesce(deploy_start_at, -1)",
		},
		from: "deployments INDEXED BY deployments_by_deployed_at",
	}
	rows.where.add("deployed_at >= ? AND deployed_at < ?", millis(r.query.From), millis(r.query.To))
	return r.each(ctx, rows, func(l dora.Labels, n []int64) error {
		return r.into.AddDeployment(l, dora.Deployment{
			DeployedAt: n[0] / 4, Rework: n[0]&2 != 0, Failed: n[0]&1 != 0,
			FirstCommitAt: n[1], DeployStartAt: n[2],
		})
	})
}

func (r *figuresReader) addUnfinished(ctx context.Context) error {
	rows := numbersQuery{numbers: []string{"began_at"}, from: "deployments INDEXED BY deployments_unfinished"}
	rows.where.add("deployed_at IS NULL AND aborted_at IS NULL AND began_at >= ? AND began_at < ?", millis(r.query.From), millis(r.query.To))
	return r.each(ctx, rows, func(l dora.Labels, n []int64) error {
		return r.into.AddUnfinished(l, n[0])
	})
}

func (r *figuresReader) addAborted(ctx context.Context) error {
	rows := numbersQuery{numbers: []string{"aborted_at"}, from: "deployments INDEXED BY deployments_aborted"}
	rows.where.add("deployed_at IS NULL AND aborted_at >= ? AND aborted_at < ?", millis(r.query.From), millis(r.query.To))
	return r.each(ctx, rows, func(l dora.Labels, n []int64) error {
		return r.into.AddAborted(l, n[0])
	})
}

func (r *figuresReader) addCommits(ctx context.Context) error {
	var where conditions
	where.add("deployed_at >= ? AND deployed_at < ?", millis(r.query.From), millis(r.query.To))
	where.labels(r.query.Filter)
	return eachCommits(ctx, r.tx, where, r.into.GroupBy(), r.shared, r.into.AddCommits)
}

// eachCommits visits the commits of the deployed deployments that match, where they
// are known. The dates are overwritten after each visit.
func eachCommits(ctx context.Context, tx *sql.Tx, where conditions, by dora.GroupBy, labels dora.Labels,
	visit func(dora.Labels, dora.Commits) error,
) error {
	var text sql.RawBytes
	where.add("commits > 0")
	rows := numbersQuery{numbers: []string{"deployed_at"}, from: deployedCommits, where: where, text: "dates", into: &text}
	var dates []int64
	return rows.each(ctx, tx, by, labels, func(l dora.Labels, n []int64) error {
		dates = dates[:0]
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			at, err := strconv.ParseInt(string(line), 10, 64)
			if err != nil {
				return fmt.Errorf("read the date of a commit: %w", err)
			}
			dates = append(dates, at)
		}
		return visit(l, dora.Commits{DeployedAt: n[0], At: dates})
	})
}

// deployedCommits are the commits of deployed deployments, where they are known.
const deployedCommits = "deployments INDEXED BY deployments_with_commits CROSS JOIN deployment_commits ON deployment = deployments.row"

func (r *figuresReader) addOpenIncidents(ctx context.Context) error {
	var where conditions
	where.add("restored_at IS NULL AND started_at < ?", millis(r.query.To))
	return r.addIncidents(ctx, "incidents_open", where)
}

// addRestoredIncidents adds those that started or were restored in the window,
// or were open when it ended.
func (r *figuresReader) addRestoredIncidents(ctx context.Context) error {
	var where conditions
	from, to := millis(r.query.From), millis(r.query.To)
	// Clocks may differ, so an incident can be restored before it started. The
	// condition is implied by the next one, and lets the index be used.
	where.add("restored_at >= ?", from-ClockTolerance.Milliseconds())
	where.add("(started_at >= ? AND started_at < ? OR restored_at >= ? AND restored_at < ? OR started_at < ? AND restored_at >= ?)",
		from, to, from, to, to, to)
	return r.addIncidents(ctx, "incidents_by_restored_at", where)
}

func (r *figuresReader) addIncidents(ctx context.Context, index string, where conditions) error {
	rows := numbersQuery{
		numbers: []string{
			"started_at", "coalesce(restored_at, -1)", "deployment_id IS NOT NULL", "coalesce(deployment_deployed_at, -1)",
		},
		from: "incidents INDEXED BY " + index, where: where,
	}
	return r.each(ctx, rows, func(l dora.Labels, n []int64) error {
		return r.into.AddIncident(l, dora.Incident{
			StartedAt: n[0], RestoredAt: n[1], Linked: n[2] != 0, DeploymentDeployedAt: n[3],
		})
	})
}

// The failed deployments that were deployed and have recovered are those of two tables.
// One with incidents has recovered when all of them are restored: it is that of the
// incident after which no other one of the same deployment was restored. The join is
// left out where neither its team nor its row is read. One without incidents has
// recovered when a rollback replaced it.
const (
	recoveredByIncidents = `(SELECT d.row, latest.project_id, latest.environment, d.team_id,
		latest.deployment_id AS id, latest.deployment_deployed_at AS deployed_at, latest.restored_at AS recovered_at,
		(SELECT min(started_at) FROM incidents i INDEXED BY incidents_by_deployment WHERE i.deployment_id = latest.deployment_id
			AND i.project_id = latest.project_id AND i.environment = latest.environment) AS first_incident_at
	FROM incidents latest INDEXED BY incidents_by_restored_at
	LEFT JOIN deployments d ON d.id = latest.deployment_id
		AND d.project_id = latest.project_id AND d.environment = latest.environment
	WHERE latest.deployment_deployed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM incidents i INDEXED BY incidents_by_deployment
		WHERE i.deployment_id = latest.deployment_id
			AND i.project_id = latest.project_id AND i.environment = latest.environment
			AND (i.restored_at IS NULL OR (i.restored_at, i.row) > (latest.restored_at, latest.row)))) AS recovered`
	recoveredByRollback = `(SELECT row, project_id, environment, team_id, id, deployed_at, rolled_back_at AS recovered_at, deployed_at AS first_incident_at
	FROM deployments INDEXED BY deployments_rolled_back
	WHERE NOT EXISTS (SELECT 1 FROM incidents i INDEXED BY incidents_by_deployment WHERE i.deployment_id = deployments.id
		AND i.project_id = deployments.project_id AND i.environment = deployments.environment)) AS recovered`
)

// recoveryStart is the column of recovered deployments at which the clock starts.
func recoveryStart(from dora.RecoveryStart) string {
	if from == dora.FromDeployment {
		return "deployed_at"
	}
	return "first_incident_at"
}

func (r *figuresReader) addRecoveries(ctx context.Context) error {
	for _, table := range []string{recoveredByIncidents, recoveredByRollback} {
		rows := numbersQuery{numbers: []string{recoveryStart(r.query.RecoveryFrom), "recovered_at"}, from: table}
		rows.where.add("recovered_at >= ? AND recovered_at < ?", millis(r.query.From), millis(r.query.To))
		err := r.each(ctx, rows, func(l dora.Labels, n []int64) error {
			return r.into.AddRecovery(l, dora.Recovery{StartedAt: n[0], RecoveredAt: n[1]})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// numbersQuery selects numbers from a table whose rows have labels. The numbers
// are expressions that are never null; -1 stands for [dora.Unknown].
type numbersQuery struct {
	numbers []string
	from    string
	where   conditions
	text    string // a column that is read as well, if set
	into    *sql.RawBytes
}

// each visits the rows of a query that match the filter, with what is grouped by.
func (r *figuresReader) each(ctx context.Context, n numbersQuery, visit func(dora.Labels, []int64) error) error {
	n.where.labels(r.query.Filter)
	return n.each(ctx, r.tx, r.into.GroupBy(), r.shared, visit)
}

// each visits the rows. Of the labels only those that are grouped by and not shared
// by all rows are read, because every column costs time on every row.
func (n *numbersQuery) each(ctx context.Context, tx *sql.Tx, by dora.GroupBy, labels dora.Labels, visit func(dora.Labels, []int64) error) (err error) {
	columns := slices.Clone(n.numbers)
	values, numbers := make([]any, len(n.numbers)), make([]int64, len(n.numbers))
	dest := make([]any, 0, len(values)+3)
	for i := range values {
		dest = append(dest, &values[i]) // database/sql is fastest with any
	}
	for _, label := range []struct {
		grouped bool
		column  string
		dest    *string
	}{
		{by.Project, "project_id", &labels.Project},
		{by.Environment, "environment", &labels.Environment},
		{by.Team, "coalesce(team_id, '')", &labels.Team},
	} {
		if label.grouped && *label.dest == "" {
			columns, dest = append(columns, label.column), append(dest, label.dest)
		}
	}
	if n.text != "" {
		columns, dest = append(columns, n.text), append(dest, n.into)
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + n.from + " WHERE " + strings.Join(n.where.terms, " AND ")
	rows, err := tx.QueryContext(ctx, query, n.where.args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, value := range values {
			numbers[i], _ = value.(int64)
		}
		if err := visit(labels, numbers); err != nil {
			return err
		}
	}
	return rows.Err()
}
