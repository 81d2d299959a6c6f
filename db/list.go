package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/db/rules"
)

// Page selects a part of a list.
type Page struct {
	Limit  int     // the most rows to return, at least 1
	Offset int     // how many rows to skip; a cursor is as fast at any depth
	After  *Cursor // where the page before ended, nil for the first
}

// Cursor is a position in a list: the time and the row number of the last row
// before it.
type Cursor struct {
	At  time.Time
	Row int64
}

// relation describes how the rows of one table are read.
type relation[R rules.Row] struct {
	noun     string
	table    string
	columns  string
	order    string // the column that lists are ordered by, newest first
	scan     func(*sql.Rows) (R, error)
	position func(R) Cursor
}

// matching is the query for the rows that match a [Ref].
func (r relation[R]) matching() string {
	return fmt.Sprintf(`SELECT %s FROM %s
		WHERE id = ?1 AND (?2 = '' OR project_id = ?2) AND (?3 = '' OR environment = ?3)
		ORDER BY project_id, environment LIMIT %d`, r.columns, r.table, rules.MaxMatches)
}

func (r relation[R]) find(ctx context.Context, l *lane, ref Ref) (one R, err error) {
	found, err := query(ctx, l, r.scan, r.matching(), ref.ID, ref.Project, ref.Environment)
	if err != nil {
		return one, fmt.Errorf("find %s: %w", r.noun, err)
	}
	return rules.ExactlyOne(ref, found)
}

func (r relation[R]) list(ctx context.Context, l *lane, where conditions, page Page) ([]R, *Cursor, error) {
	statement, args := r.pageOf(where, page)
	found, err := query(ctx, l, r.scan, statement, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("list %ss: %w", r.noun, err)
	}
	found, next := trimPage(found, page.Limit, r.position)
	return found, next, nil
}

// pageOf is the query for a page of a list.
func (r relation[R]) pageOf(where conditions, page Page) (string, []any) {
	where.after(r.order, page.After)
	return where.list("SELECT "+r.columns+" FROM "+r.table, r.order, page)
}

// globEscaper turns a pattern of [dora.Environments] into one of SQLite.
var globEscaper = strings.NewReplacer("[", "[[]", "?", "[?]")

// conditions builds the WHERE clause of a query. The texts are constants of
// this package; whatever a client sent is a parameter.
type conditions struct {
	terms []string
	args  []any
}

func (c *conditions) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// labels keeps the rows with the labels of a filter. Only the first term
// of all may choose the index, because the planner cannot know how many rows have
// each label; the sign hides the column of the others from it.
func (c *conditions) labels(f dora.Filter) {
	for _, label := range []struct{ column, value string }{
		{"project_id", f.Project}, {"team_id", f.Team}, {"environment", f.Environment},
	} {
		if len(c.terms) > 0 {
			label.column = "+" + label.column
		}
		c.equal(label.column, label.value)
	}
	if f.Environment != "" || len(f.Environments) == 0 {
		return
	}
	var patterns []string
	var args []any
	for _, pattern := range f.Environments {
		patterns, args = append(patterns, "+environment GLOB ?"), append(args, globEscaper.Replace(pattern))
	}
	c.add("("+strings.Join(patterns, " OR ")+")", args...)
}

func (c *conditions) before(column string, at time.Time) {
	if !at.IsZero() {
		c.add(column+" < ?", millis(at))
	}
}

func (c *conditions) after(column string, cursor *Cursor) {
	if cursor != nil {
		c.add("("+column+", row) < (?, ?)", millis(cursor.At), cursor.Row)
	}
}

// list completes the query. It asks for one row more than wanted, which shows
// whether there is a next page.
func (c *conditions) list(query, column string, page Page) (string, []any) {
	if len(c.terms) > 0 {
		query += " WHERE " + strings.Join(c.terms, " AND ")
	}
	query += " ORDER BY " + column + " DESC, row DESC LIMIT ? OFFSET ?"
	return query, append(c.args, page.Limit+1, page.Offset)
}

// trimPage removes the extra row of a page and returns the cursor of the next.
func trimPage[T any](found []T, limit int, position func(T) Cursor) ([]T, *Cursor) {
	if len(found) <= limit {
		return found, nil
	}
	next := position(found[limit-1])
	return found[:limit], &next
}

func scanText(rows *sql.Rows) (text string, err error) {
	err = rows.Scan(&text)
	return text, err
}

func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) (found []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}
