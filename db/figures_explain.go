package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/db/rules"
)

// Evidence is a deployment or an incident that a figure is computed from.
type Evidence struct {
	Deployment *Deployment // nil if it is an incident
	Incident   *Incident   // nil if it is a deployment
	// Counted reports whether it is in the numerator of a ratio. For other
	// figures it is always true.
	Counted bool
	// Value is its sample of a duration.
	Value NullDuration
	// Incidents are the ids of the incidents linked to a failed deployment, in
	// the order in which they started. Only the change failure rate and the
	// recovery time have them.
	Incidents []string

	row int64
	at  int64 // the date by which it falls into the window, in Unix milliseconds
}

// Part selects evidence of a ratio by whether it is in the numerator.
type Part int

// The parts. Of other figures than ratios everything is counted.
const (
	Everything Part = iota
	Counted
	NotCounted
)

// Explain lists the deployments or incidents that a figure of a window is
// computed from, or a part of them, the newest first. The grouping and the interval
// of the query are ignored. The cursor is where the next page begins, nil after the
// last.
func (s *Store) Explain(ctx context.Context, name dora.Name, q dora.Query, part Part, page Page) (evidence []Evidence, next *Cursor, err error) {
	figure, ok := dora.Find(name)
	if !ok {
		return nil, nil, fmt.Errorf("explain: there is no figure %q", name)
	}
	err = s.readers.figures.snapshot(ctx, func(tx *sql.Tx) error {
		if evidence, next, err = findEvidence(ctx, tx, figure, q, part, page); err != nil {
			return err
		}
		return loadEvidence(ctx, tx, figure, evidence)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("explain %s: %w", name, storeError(err))
	}
	return evidence, next, nil
}

// findEvidence finds a page of evidence, without its deployments and incidents.
func findEvidence(ctx context.Context, tx *sql.Tx, f dora.Figure, q dora.Query, part Part, page Page) ([]Evidence, *Cursor, error) {
	statement, args := evidenceQuery(f, q, part, page)
	rows, err := tx.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, nil, err
	}
	found, err := collect(rows, scanEvidence)
	if err != nil {
		return nil, nil, err
	}
	evidence, next := trimPage(found, page.Limit, func(e Evidence) Cursor { return Cursor{At: fromMillis(e.at), Row: e.row} })
	return evidence, next, nil
}

// evidenceQuery is the query for a page of evidence.
func evidenceQuery(f dora.Figure, q dora.Query, part Part, page Page) (statement string, args []any) {
	table, at, where := evidenceOf(f.Source, millis(q.From), millis(q.To))
	counted, value, linked := "1", "NULL", "''"
	switch f.Kind {
	case dora.Ratio:
		counted = string(f.Part)
	case dora.Duration:
		from := string(f.From)
		if f.Source == dora.RecoveredDeployments {
			from = recoveryStart(q.RecoveryFrom)
		}
		where.add(from + " IS NOT NULL")
		value = "max(0, " + at + " - " + from + ")"
	}
	switch f.Name {
	case dora.ChangeFailureRate:
		linked = linkedIDs("deployments")
	case dora.FailedDeploymentRecoveryTime:
		linked = linkedIDs("recovered")
	}
	switch part {
	case Counted:
		where.add(counted)
	case NotCounted:
		where.add("NOT " + counted)
	case Everything:
	}
	where.labels(q.Filter)
	where.after(at, page.After)
	columns := strings.Join([]string{"row", at, counted, value, linked}, ", ")
	return where.list("SELECT "+columns+" FROM "+table, at, page)
}

// evidenceOf returns the table of a source with the index that has the rows in
// order, the column of the date by which a row falls into the window, and the
// conditions that select the rows.
func evidenceOf(s dora.Source, from, to int64) (table, at string, where conditions) {
	switch s {
	case dora.DeployedDeployments:
		table, at = "deployments INDEXED BY deployments_by_deployed_at", "deployed_at"
	case dora.UnfinishedDeployments:
		table, at = "deployments INDEXED BY deployments_unfinished", "began_at"
		where.add("deployed_at IS NULL")
	case dora.RecoveredDeployments:
		table, at = recoveredDeployments, "recovered_at"
	case dora.StartedIncidents:
		table, at = "incidents INDEXED BY incidents_by_time", "started_at"
	case dora.RestoredIncidents:
		table, at = "incidents INDEXED BY incidents_by_restored_at", "restored_at"
	case dora.OpenIncidents:
		where.add("started_at < ? AND (restored_at IS NULL OR restored_at >= ?)", to, to)
		return "incidents INDEXED BY incidents_by_time", "started_at", where
	}
	where.add(at+" >= ? AND "+at+" < ?", from, to)
	return table, at, where
}

// linkedIDs lists the ids of the incidents linked to a deployment of a table, one
// on each line.
func linkedIDs(table string) string {
	return `coalesce((SELECT group_concat(i.id, char(10) ORDER BY i.started_at, i.row) FROM incidents i
		WHERE i.deployment_id = ` + table + `.id AND i.project_id = ` + table + `.project_id AND i.environment = ` + table + `.environment), '')`
}

func scanEvidence(rows *sql.Rows) (e Evidence, err error) {
	var value sql.NullInt64
	var linked string
	err = rows.Scan(&e.row, &e.at, &e.Counted, &value, &linked)
	e.Value = duration(value)
	if linked != "" {
		e.Incidents = strings.Split(linked, "\n") // ids have no control characters
	}
	return e, err
}

// loadEvidence reads the deployments or incidents of a page of evidence.
func loadEvidence(ctx context.Context, tx *sql.Tx, f dora.Figure, evidence []Evidence) error {
	byRow := make(map[int64]*Evidence, len(evidence))
	for i := range evidence {
		byRow[evidence[i].row] = &evidence[i]
	}
	if f.Source.Subject() == "deployment" {
		return eachByRow(ctx, tx, deployments(), byRow, func(d *Deployment) { byRow[d.Row].Deployment = d })
	}
	return eachByRow(ctx, tx, incidents(), byRow, func(i *Incident) { byRow[i.Row].Incident = i })
}

// eachByRow visits the deployments or incidents of the evidence.
func eachByRow[R rules.Row](ctx context.Context, tx *sql.Tx, r relation[R], evidence map[int64]*Evidence, visit func(R)) error {
	if len(evidence) == 0 {
		return nil
	}
	var args []any
	for row := range evidence {
		args = append(args, row)
	}
	query := "SELECT " + r.columns + " FROM " + r.table + " WHERE row IN (?" + strings.Repeat(", ?", len(args)-1) + ")"
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	found, err := collect(rows, r.scan)
	if err != nil {
		return err
	}
	for _, one := range found {
		visit(one)
	}
	return nil
}

// IncidentsOf lists the ids of the incidents linked to a deployment, in the
// order in which they started.
func (s *Store) IncidentsOf(ctx context.Context, deployment Key) ([]string, error) {
	ids, err := query(ctx, s.readers.lists, scanText, `SELECT id FROM incidents
		WHERE deployment_id = ? AND project_id = ? AND environment = ? ORDER BY started_at, row`,
		deployment.ID, deployment.Project, deployment.Environment)
	if err != nil {
		return nil, fmt.Errorf("find the incidents of a deployment: %w", err)
	}
	return ids, nil
}
