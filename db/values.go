package db

import (
	"database/sql"
	"time"
)

// The functions here stand at the edge of the database: on its side times and
// durations are integer milliseconds, on the other they are Go's own types.

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func nullTime(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

func fromNullTime(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return fromMillis(n.Int64)
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func nullMillis(d NullDuration) sql.NullInt64 {
	return sql.NullInt64{Int64: d.V.Milliseconds(), Valid: d.Valid}
}

func duration(n sql.NullInt64) NullDuration {
	return NullDuration{V: time.Duration(n.Int64) * time.Millisecond, Valid: n.Valid}
}

// elapsed is the measured time between two dates. Clocks that disagree within
// the tolerance make it zero, never negative; it is unknown when a date is.
func elapsed(from, to time.Time) NullDuration {
	if from.IsZero() || to.IsZero() {
		return NullDuration{}
	}
	return NullDuration{V: max(0, to.Sub(from)), Valid: true}
}
