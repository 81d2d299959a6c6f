package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
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
	// Commits are the first commits of the deployment, at most [MaxShownCommits], in
	// the order in which they were sent. Only the commit lead time has them.
	Commits []Commit

	row int64
	at  int64 // the date by which it falls into the window, in Unix milliseconds
}

// MaxShownCommits is the maximum number of commits of a deployment that
// [Store.Explain] lists.
const MaxShownCommits = 100

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
	var found []Evidence
	tables := tablesOf(f.Source)
	each := page
	if len(tables) > 1 { // each may have the whole page
		each.Limit, each.Offset = page.Limit+page.Offset, 0
	}
	for _, table := range tables {
		statement, args := evidenceQuery(f, table, q, part, each)
		rows, err := tx.QueryContext(ctx, statement, args...)
		if err != nil {
			return nil, nil, err
		}
		some, err := collect(rows, scanEvidence)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, some...)
	}
	if len(tables) > 1 {
		slices.SortFunc(found, func(a, b Evidence) int { return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(b.row, a.row)) })
		found = found[min(page.Offset, len(found)):]
		found = found[:min(page.Limit+1, len(found))]
	}
	evidence, next := trimPage(found, page.Limit, func(e Evidence) Cursor { return Cursor{At: fromMillis(e.at), Row: e.row} })
	return evidence, next, nil
}

// tablesOf returns the tables that a source consists of, each with the index that has
// the rows in order.
func tablesOf(s dora.Source) []string {
	switch s {
	case dora.DeployedDeployments:
		return []string{"deployments INDEXED BY deployments_by_deployed_at"}
	case dora.DeployedCommits:
		return []string{"deployments INDEXED BY deployments_with_commits"}
	case dora.UnfinishedDeployments:
		return []string{"deployments INDEXED BY deployments_unfinished"}
	case dora.AbortedDeployments:
		return []string{"deployments INDEXED BY deployments_aborted"}
	case dora.RecoveredDeployments:
		return []string{recoveredByIncidents, recoveredByRollback}
	case dora.StartedIncidents, dora.OpenIncidents:
		return []string{"incidents INDEXED BY incidents_by_time"}
	case dora.RestoredIncidents:
		return []string{"incidents INDEXED BY incidents_by_restored_at"}
	}
	return nil
}

// evidenceQuery is the query for a page of evidence from one of its tables.
func evidenceQuery(f dora.Figure, table string, q dora.Query, part Part, page Page) (statement string, args []any) {
	at, where := evidenceOf(f.Source, millis(q.From), millis(q.To))
	counted, value, linked := "1", "NULL", "''"
	switch f.Kind {
	case dora.Ratio:
		counted = string(f.Part)
	case dora.Duration:
		from := string(f.From)
		switch f.Source {
		case dora.DeployedCommits: // each has a sample of its own
			from = "NULL"
		case dora.RecoveredDeployments:
			from = recoveryStart(q.RecoveryFrom)
		case dora.DeployedDeployments, dora.UnfinishedDeployments, dora.AbortedDeployments,
			dora.StartedIncidents, dora.RestoredIncidents, dora.OpenIncidents:
		}
		if from != "NULL" {
			where.add(from + " IS NOT NULL")
		}
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

// evidenceOf returns the column of the date by which a row of a source falls into the
// window, and the conditions that select the rows.
func evidenceOf(s dora.Source, from, to int64) (at string, where conditions) {
	switch s {
	case dora.DeployedDeployments:
		at = "deployed_at"
	case dora.DeployedCommits:
		at = "deployed_at"
		where.add("commits > 0")
	case dora.AbortedDeployments:
		at = "aborted_at"
		where.add("deployed_at IS NULL")
	case dora.UnfinishedDeployments:
		at = "began_at"
		where.add("deployed_at IS NULL AND aborted_at IS NULL")
	case dora.RecoveredDeployments:
		at = "recovered_at"
	case dora.StartedIncidents:
		at = "started_at"
	case dora.RestoredIncidents:
		at = "restored_at"
	case dora.OpenIncidents:
		where.add("started_at < ? AND (restored_at IS NULL OR restored_at >= ?)", to, to)
		return "started_at", where
	}
	where.add(at+" >= ? AND "+at+" < ?", from, to)
	return at, where
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
	switch f.Source.Subject() {
	case "commit":
		if err := eachByRow(ctx, tx, commitLists(), byRow, func(l *deploymentCommits) { byRow[l.row].Commits = l.Commits }); err != nil {
			return err
		}
		fallthrough
	case "deployment":
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

// deploymentCommits are the commits of a deployment, by its row.
type deploymentCommits struct {
	rules.CommitList
	row int64
}

// commitLists describes how the first commits of deployments are read. What is read of
// a list has room for the longest names.
func commitLists() relation[*deploymentCommits] {
	return relation[*deploymentCommits]{
		noun: "list of commits", scan: scanCommits,
		table: "(SELECT deployment AS row, names, dates FROM deployment_commits)",
		columns: fmt.Sprintf("row, substr(names, 1, %d), substr(dates, 1, %d)",
			MaxShownCommits*(rules.MaxName+1), MaxShownCommits*len("-9223372036854775808\n")),
	}
}

func scanCommits(rows *sql.Rows) (*deploymentCommits, error) {
	var l deploymentCommits
	var names, dates string
	if err := rows.Scan(&l.row, &names, &dates); err != nil {
		return nil, err
	}
	name, date := strings.Split(names, "\n"), strings.Split(dates, "\n")
	for i := range min(len(name), len(date), MaxShownCommits) {
		at, err := strconv.ParseInt(date[i], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the date of a commit: %w", err)
		}
		l.Commits = append(l.Commits, Commit{Name: name[i], At: fromMillis(at)})
	}
	return &l, nil
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
