package db

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Page is which part of a list is wanted.
type Page struct {
	Limit  int     // how many at most, at least 1
	Offset int     // how many to pass over; a cursor does the same at any depth at no cost
	After  *Cursor // where the page before ended, nil for the first
}

// Cursor is a place in a list: the time and the row of the last one before it.
type Cursor struct {
	At  time.Time
	Row int64
}

// conditions builds the WHERE clause of a list. The texts are constants of
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

func (c *conditions) after(column string, cursor *Cursor) {
	if cursor != nil {
		c.add("("+column+", row) < (?, ?)", millis(cursor.At), cursor.Row)
	}
}

// list completes the query. It asks for one row more than wanted, which tells
// whether there is a next page.
func (c *conditions) list(query, column string, page Page) (string, []any) {
	if len(c.terms) > 0 {
		query += " WHERE " + strings.Join(c.terms, " AND ")
	}
	query += " ORDER BY " + column + " DESC, row DESC LIMIT ? OFFSET ?"
	return query, append(c.args, page.Limit+1, page.Offset)
}

// cut takes the extra row off a page and makes the cursor of the next.
func cut[T any](found []T, limit int, position func(T) Cursor) ([]T, *Cursor) {
	if len(found) <= limit {
		return found, nil
	}
	next := position(found[limit-1])
	return found[:limit], &next
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

// theOne returns what was found when it is exactly one.
func theOne[T any](thing string, ref Ref, found []T, key func(T) Key) (one T, err error) {
	switch len(found) {
	case 0:
		return one, &Error{
			Code:    NotFound,
			Message: fmt.Sprintf("no such %s", thing),
			Fields:  []FieldError{{"id", fmt.Sprintf("%q is not the id of %s %s%s", ref.ID, article(thing), thing, within(ref))}},
		}
	case 1:
		return found[0], nil
	}
	places := make([]string, len(found))
	for i, f := range found {
		places[i] = fmt.Sprintf("project_id %q in environment %q", key(f).Project, key(f).Environment)
	}
	return one, &Error{
		Code:    Ambiguous,
		Message: fmt.Sprintf("several %ss have that id", thing),
		Fields:  []FieldError{{ambiguousField(ref), "must choose one of: " + strings.Join(places, "; ")}},
	}
}

func article(noun string) string {
	if strings.IndexAny(noun, "aeiou") == 0 {
		return "an"
	}
	return "a"
}

func within(ref Ref) string {
	var parts []string
	if ref.Project != "" {
		parts = append(parts, fmt.Sprintf(" in project_id %q", ref.Project))
	}
	if ref.Environment != "" {
		parts = append(parts, fmt.Sprintf(" in environment %q", ref.Environment))
	}
	return strings.Join(parts, "")
}

func ambiguousField(ref Ref) string {
	if ref.Project == "" {
		return "project_id"
	}
	return "environment"
}
