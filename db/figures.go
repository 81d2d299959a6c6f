package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// Dora computes the groups of a query in the order of their labels. Without
// grouping there is exactly one group; otherwise a group exists if any
// deployment or incident of it falls into the window. The error is Invalid if
// there are more groups or intervals than there may be.
func (s *Store) Dora(ctx context.Context, q dora.Query) ([]dora.Group, error) {
	groups, err := s.doraOf(ctx, q)
	if err != nil {
		return nil, err
	}
	return groups[0], nil
}

// doraOf computes the groups of several queries, which differ only in grouping
// and interval, in one pass over the store.
func (s *Store) doraOf(ctx context.Context, queries ...dora.Query) ([][]dora.Group, error) {
	aggregations := make([]*dora.Aggregation, len(queries))
	var all together
	for i, q := range queries {
		var err error
		if aggregations[i], err = dora.NewAggregation(q); err != nil {
			return nil, fmt.Errorf("read figures: %w", figuresError(err))
		}
		all = append(all, aggregations[i])
	}
	if err := s.readers.figures.aggregate(ctx, queries[0], all); err != nil {
		return nil, fmt.Errorf("read figures: %w", figuresError(err))
	}
	groups := make([][]dora.Group, len(queries))
	for i, a := range aggregations {
		groups[i] = a.Groups()
	}
	return groups, nil
}

// Overview is the figures of a window for everything together, with a series, and
// for the groups of one or several groupings that have the most deployments.
type Overview struct {
	All  dora.Group
	Tops []Top // one for each grouping
}

// Top is the groups of a grouping that have the most deployments, the most first.
type Top struct {
	Groups []dora.Group
	All    int // how many groups there are
}

// Overview computes the figures of a query, whose grouping is ignored, and those of
// the n groups with the most deployments of each grouping, in one pass over the
// store.
func (s *Store) Overview(ctx context.Context, q dora.Query, n int, by ...dora.GroupBy) (Overview, error) {
	q.GroupBy = dora.GroupBy{}
	queries := []dora.Query{q}
	for _, grouping := range by {
		grouped := q
		grouped.GroupBy, grouped.Interval = grouping, dora.NoInterval
		queries = append(queries, grouped)
	}
	groups, err := s.doraOf(ctx, queries...)
	if HasCode(err, Invalid) && len(by) > 0 { // too many groups to compute all of them
		return s.overviewOfRanked(ctx, queries, n)
	}
	if err != nil {
		return Overview{}, err
	}
	o := Overview{All: groups[0][0]}
	for _, found := range groups[1:] {
		o.Tops = append(o.Tops, Top{Groups: top(found, n), All: len(found)})
	}
	return o, nil
}

// overviewOfRanked computes the overview of several queries one by one.
func (s *Store) overviewOfRanked(ctx context.Context, queries []dora.Query, n int) (o Overview, err error) {
	all, err := s.Dora(ctx, queries[0])
	if err != nil {
		return Overview{}, err
	}
	o.All = all[0]
	for _, q := range queries[1:] {
		groups, err := s.Dora(ctx, q)
		count := len(groups)
		if HasCode(err, Invalid) {
			groups, count, err = s.doraOfRanked(ctx, q, n)
		}
		if err != nil {
			return Overview{}, err
		}
		o.Tops = append(o.Tops, Top{Groups: top(groups, n), All: count})
	}
	return o, nil
}

// top returns the n groups with the most deployments.
func top(groups []dora.Group, n int) []dora.Group {
	slices.SortStableFunc(groups, func(a, b dora.Group) int { return cmp.Compare(b.Deployments, a.Deployments) })
	return groups[:min(n, len(groups))]
}

// doraOfRanked reads the store twice: for the groups with the most deployments,
// and for their totals.
func (s *Store) doraOfRanked(ctx context.Context, q dora.Query, n int) ([]dora.Group, int, error) {
	ranking := dora.NewRanking(q)
	if err := s.readers.figures.aggregate(ctx, q, ranking); err != nil {
		return nil, 0, fmt.Errorf("rank groups: %w", storeError(err))
	}
	groups, err := dora.NewAggregation(q)
	if err == nil {
		groups.Only(ranking.Top(n))
		err = s.readers.figures.aggregate(ctx, q, groups)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read figures: %w", figuresError(err))
	}
	return groups.Groups(), ranking.Len(), nil
}

// DoraWindows computes the totals of windows of several lengths that end now, for
// every scope, in one pass over the store. What has no place is counted together.
func (s *Store) DoraWindows(ctx context.Context, lengths []time.Duration, places *dora.Places) ([]dora.ScopeTotals, error) {
	if len(lengths) == 0 {
		return nil, nil
	}
	from, to := s.Window(slices.Max(lengths))
	windows := dora.NewWindows(to, lengths, places)
	if err := s.readers.scrapes.aggregate(ctx, dora.Query{From: from, To: to}, windows); err != nil {
		return nil, fmt.Errorf("read figures of windows: %w", storeError(err))
	}
	return windows.Totals(), nil
}

// Window returns the window of a length that ends now. What happens in this
// very millisecond is in it.
func (s *Store) Window(length time.Duration) (from, to time.Time) {
	to = s.now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	return to.Add(-length), to
}

// figuresError turns the refusal of a query that is too large into an Invalid
// error.
func figuresError(err error) error {
	var large *dora.TooLargeError
	if !errors.As(err, &large) {
		return storeError(err)
	}
	var field FieldError
	switch {
	case large.MaxGroups == 0:
		field.Field, field.Message = "interval", fmt.Sprintf("makes %d intervals, but there may be at most %d: "+
			"send a longer interval or a shorter window", large.Intervals, dora.MaxIntervals)
	case large.Intervals > 1:
		field.Field, field.Message = "interval", fmt.Sprintf("makes %d intervals for each group, and so there may be at most %d groups: "+
			"send a longer interval, a shorter window or a filter", large.Intervals, large.MaxGroups)
	default:
		field.Field, field.Message = "group_by", fmt.Sprintf("makes more than %d groups, which is the limit: "+
			"send a filter or a shorter window, or group by fewer labels", large.MaxGroups)
	}
	return &Error{Code: Invalid, Message: "the answer would be too large", Fields: []FieldError{field}}
}
