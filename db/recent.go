package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// Names are the projects, teams and environments that something happened in.
type Names struct {
	Projects     []string
	Teams        []string
	Environments []string
}

// Names lists, in order, what there is to choose from in a window: the labels of
// the deployments that began in it and of the incidents that started in it.
func (s *Store) Names(ctx context.Context, from, to time.Time) (n Names, err error) {
	for _, label := range []struct {
		column string
		names  *[]string
	}{
		{"project_id", &n.Projects}, {"team_id", &n.Teams}, {"environment", &n.Environments},
	} {
		for _, statement := range []string{deployments().names(label.column), incidents().names(label.column)} {
			found, err := query(ctx, s.readers.figures, scanText, statement, millis(from), millis(to))
			if err != nil {
				return Names{}, fmt.Errorf("list names: %w", err)
			}
			*label.names = append(*label.names, found...)
		}
		slices.Sort(*label.names)
		*label.names = slices.Compact(*label.names)
	}
	return n, nil
}

// names is the query for the values of a label in a window. It jumps from one
// value to the next in the index of lists by that label, whatever number of rows
// has each.
func (r relation[R]) names(column string) string {
	return fmt.Sprintf(`WITH RECURSIVE name (value) AS (
			SELECT min(%[1]s) FROM %[2]s WHERE %[1]s IS NOT NULL
			UNION ALL
			SELECT (SELECT min(%[1]s) FROM %[2]s WHERE %[1]s > value) FROM name WHERE value IS NOT NULL
		)
		SELECT value FROM name WHERE value IS NOT NULL
			AND EXISTS (SELECT 1 FROM %[2]s WHERE %[1]s = value AND %[3]s >= ?1 AND %[3]s < ?2)`, column, r.table, r.order)
}

// MaxRecent is the number of the latest events that are searched for those that match
// a filter: there is no index of events by their labels, which the writer would pay
// for.
const MaxRecent = 10_000

// RecentEvents lists the events that were recorded last and match a filter, the
// newest first. It looks at the latest [MaxRecent].
func (s *Store) RecentEvents(ctx context.Context, f dora.Filter, limit int) ([]Event, error) {
	var where conditions
	where.add("seq > coalesce((SELECT max(seq) FROM events), 0) - ?", MaxRecent)
	where.labels(f)
	statement := selectEvents + " WHERE " + strings.Join(where.terms, " AND ") + " ORDER BY seq DESC LIMIT ?"
	events, err := query(ctx, s.readers.lists, scanEvent, statement, append(where.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list recent events: %w", err)
	}
	return events, nil
}
