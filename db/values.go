package db

import (
	"database/sql"
	"time"

	"github.com/em-metrics/em-metrics/db/rules"
)

// The functions here convert at the edge of the database, where times and
// durations are integer milliseconds.

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

func nullNumber(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }

func nullInt(n rules.NullInt) sql.NullInt64 { return sql.NullInt64{Int64: int64(n.V), Valid: n.Valid} }

func nullBool(b rules.NullBool) sql.NullBool { return sql.NullBool{Bool: b.V, Valid: b.Valid} }
