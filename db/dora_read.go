package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// unknown stands for a time or duration that is null in the database.
const unknown = -1

// delivery is a deployment that was deployed, as far as the figures need it.
// Times and durations are milliseconds.
type delivery struct {
	at, lead, duration int64
	rework, failed     bool
}

// computation reads the store once and feeds every sheet. Things with the same
// labels go to the same tallies, so those are looked up once per labels.
type computation struct {
	sheets   []*sheet
	routes   map[labels][][]tally // by labels, then by sheet
	calendar calendar
}

func newComputation(location *time.Location, sheets ...*sheet) *computation {
	return &computation{sheets: sheets, routes: map[labels][][]tally{}, calendar: calendar{location: location}}
}

// route finds the tallies for things with these labels, by sheet.
func (c *computation) route(l labels) ([][]tally, error) {
	if route, ok := c.routes[l]; ok {
		return route, nil
	}
	route := make([][]tally, len(c.sheets))
	for i, s := range c.sheets {
		route[i] = s.group(l)
	}
	c.routes[l] = route
	return route, c.tooLarge()
}

// tooLarge tells whether the groups have become more than an answer can hold.
func (c *computation) tooLarge() error {
	for _, s := range c.sheets {
		if s.pieces() > 1 && len(s.groups)*s.pieces() > maxCells {
			return &Error{
				Code:    Invalid,
				Message: "the answer would be too large",
				Fields: []FieldError{{Field: "interval", Message: fmt.Sprintf("makes %d groups times %d intervals: "+
					"ask for a longer interval, a shorter window or fewer groups", len(s.groups), s.pieces())}},
			}
		}
	}
	return nil
}

// read feeds the sheets from one snapshot of the store.
func (c *computation) read(ctx context.Context, pool *sql.DB, q DoraQuery) (err error) {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin reading figures: %w", storeError(err))
	}
	defer func() {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) && err == nil {
			err = fmt.Errorf("end reading figures: %w", storeError(rollback))
		}
	}()
	if err := c.deliveries(ctx, tx, q); err != nil {
		return fmt.Errorf("read deployments for figures: %w", storeError(err))
	}
	if err := c.unfinished(ctx, tx, q); err != nil {
		return fmt.Errorf("read unfinished deployments for figures: %w", storeError(err))
	}
	if err := c.incidents(ctx, tx, q); err != nil {
		return fmt.Errorf("read incidents for figures: %w", storeError(err))
	}
	return nil
}

// label is a column that keeps things apart, when a sheet groups by it. The
// others are not read, because every column costs time on every row.
type label struct {
	column string
	value  func(*labels) *string
	wanted func(GroupBy) bool
}

func (c *computation) labelsWanted() []label {
	var wanted []label
	for _, l := range []label{
		{"project_id", func(l *labels) *string { return &l.project }, func(by GroupBy) bool { return by.Project }},
		{"environment", func(l *labels) *string { return &l.environment }, func(by GroupBy) bool { return by.Environment }},
		{"team_id", func(l *labels) *string { return &l.team }, func(by GroupBy) bool { return by.Team }},
	} {
		if slices.ContainsFunc(c.sheets, func(s *sheet) bool { return l.wanted(s.by) }) {
			wanted = append(wanted, l)
		}
	}
	return wanted
}

// selection is a query of numbers from a table whose rows have labels.
type selection struct {
	numbers []string // expressions that are never null
	table   string   // the table, with the alias t
	where   conditions
}

func (f *selection) filter(by DoraFilter) {
	f.where.equal("t.project_id", by.Project)
	f.where.equal("t.team_id", by.Team)
	f.where.equal("t.environment", by.Environment)
}

// each visits the rows of a query with the tallies that each belongs to.
func (c *computation) each(ctx context.Context, tx *sql.Tx, f selection, visit func(n []int64, route [][]tally)) (err error) {
	columns, key := slices.Clone(f.numbers), labels{}
	values, numbers := make([]any, len(f.numbers)), make([]int64, len(f.numbers))
	dest := make([]any, 0, len(values)+3)
	for i := range values {
		dest = append(dest, &values[i]) // into any, which database/sql does fastest
	}
	for _, label := range c.labelsWanted() {
		columns = append(columns, "coalesce(t."+label.column+", '')")
		dest = append(dest, label.value(&key))
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + f.table + " WHERE " + strings.Join(f.where.terms, " AND ")
	rows, err := tx.QueryContext(ctx, query, f.where.args...)
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
		route, err := c.route(key)
		if err != nil {
			return err
		}
		visit(numbers, route)
	}
	return rows.Err()
}

func (c *computation) deliveries(ctx context.Context, tx *sql.Tx, q DoraQuery) error {
	f := selection{
		numbers: []string{
			"t.deployed_at * 4 + t.rework * 2 + t.failed", // one column costs less than three
			"t.first_commit_at", "coalesce(t.deploy_start_at, -1)",
		},
		table: "deployments t INDEXED BY deployments_by_deployed_at",
	}
	f.where.add("t.deployed_at >= ? AND t.deployed_at < ?", millis(q.From), millis(q.To))
	f.filter(q.DoraFilter)
	return c.each(ctx, tx, f, func(n []int64, route [][]tally) {
		d := delivery{at: n[0] / 4, rework: n[0]&2 != 0, failed: n[0]&1 != 0}
		d.lead, d.duration = max(0, d.at-n[1]), unknown
		if n[2] != unknown {
			d.duration = max(0, d.at-n[2])
		}
		day := c.calendar.day(d.at)
		for i, s := range c.sheets {
			if piece := pieceOf(s.bounds, d.at); piece >= 0 {
				route[i][piece].deployed(d, day)
			}
		}
	})
}

func (c *computation) unfinished(ctx context.Context, tx *sql.Tx, q DoraQuery) error {
	f := selection{numbers: []string{"t.began_at"}, table: "deployments t INDEXED BY deployments_unfinished"}
	f.where.add("t.deployed_at IS NULL AND t.began_at >= ? AND t.began_at < ?", millis(q.From), millis(q.To))
	f.filter(q.DoraFilter)
	return c.each(ctx, tx, f, func(n []int64, route [][]tally) {
		for i, s := range c.sheets {
			if piece := pieceOf(s.bounds, n[0]); piece >= 0 {
				route[i][piece].unfinished++
			}
		}
	})
}

// incidents reads those that started or were restored in the window, or were
// open when it ended.
func (c *computation) incidents(ctx context.Context, tx *sql.Tx, q DoraQuery) error {
	begin, end := millis(q.From), millis(q.To)
	for _, part := range []struct {
		index string
		term  string
		args  []any
	}{
		{"incidents_open", "t.restored_at IS NULL AND t.started_at < ?", []any{end}},
		// Clocks may differ, so an incident can be restored before it started;
		// the first condition lets the index be used all the same.
		{"incidents_by_restored_at",
			"t.restored_at >= ? AND (t.started_at >= ? AND t.started_at < ? OR t.restored_at >= ? AND t.restored_at < ? " +
				"OR t.started_at < ? AND t.restored_at >= ?)",
			[]any{begin - ClockTolerance.Milliseconds(), begin, end, begin, end, end, end}},
	} {
		f := selection{
			numbers: []string{
				"t.started_at", "coalesce(t.restored_at, -1)", "t.deployment_id IS NOT NULL",
				"coalesce(t.deployment_deployed_at, -1)",
			},
			table: "incidents t INDEXED BY " + part.index,
		}
		f.where.add(part.term, part.args...)
		f.filter(q.DoraFilter)
		err := c.each(ctx, tx, f, func(n []int64, route [][]tally) {
			i := trouble{started: n[0], restored: n[1], linked: n[2] != 0, deployed: n[3]}
			for n, s := range c.sheets {
				i.tally(s.bounds, route[n])
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trouble is an incident, as far as the figures need it.
type trouble struct {
	started, restored int64 // restored may be unknown
	linked            bool
	deployed          int64 // of the deployment it is linked to; may be unknown
}

func (i trouble) tally(bounds []int64, tallies []tally) {
	if piece := pieceOf(bounds, i.started); piece >= 0 {
		t := &tallies[piece]
		t.incidents++
		if i.deployed != unknown {
			t.detection = append(t.detection, max(0, i.started-i.deployed))
		}
	}
	if piece := pieceOf(bounds, i.restored); i.restored != unknown && piece >= 0 {
		t := &tallies[piece]
		lasted := max(0, i.restored-i.started)
		t.restore = append(t.restore, lasted)
		if i.linked {
			t.recovery = append(t.recovery, lasted)
		}
	}
	for piece := range tallies {
		end := bounds[piece+1]
		if i.started < end && (i.restored == unknown || i.restored >= end) {
			tallies[piece].open++
		}
	}
}
