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
	aggregation, err := dora.NewAggregation(q)
	if err == nil {
		err = s.readers.figures.aggregate(ctx, q, aggregation)
	}
	if err != nil {
		return nil, fmt.Errorf("read figures: %w", figuresError(err))
	}
	return aggregation.Groups(), nil
}

// DoraTotals computes the totals of a query, whose grouping and interval are
// ignored. It is faster than Dora, because it reads no labels.
func (s *Store) DoraTotals(ctx context.Context, q dora.Query) (dora.Totals, error) {
	totals := dora.NewTotals(q)
	if err := s.readers.figures.aggregate(ctx, q, totals); err != nil {
		return dora.Totals{}, fmt.Errorf("read figures: %w", storeError(err))
	}
	return totals.Groups()[0].Totals, nil
}

// Overview is the figures of a window together, with a series. [Overview.Top] has
// those of its projects, teams and environments.
type Overview struct {
	All dora.Group

	store  *Store
	query  dora.Query
	groups *dora.Overview
	teams  map[dora.GroupBy]*dora.Aggregation
}

// Overview computes the figures of a query, whose grouping is ignored, in one pass
// over the store. The groupings by team that [Overview.Top] will be asked for are
// computed in the same pass.
func (s *Store) Overview(ctx context.Context, q dora.Query, byTeam ...dora.GroupBy) (*Overview, error) {
	groups, err := dora.NewOverview(q)
	if err != nil {
		return nil, fmt.Errorf("read figures: %w", figuresError(err))
	}
	teams := map[dora.GroupBy]*dora.Aggregation{}
	into := together{groups}
	for _, by := range byTeam {
		grouped := q
		grouped.GroupBy, grouped.Interval = by, dora.NoInterval
		if teams[by], err = dora.NewAggregation(grouped); err != nil {
			return nil, fmt.Errorf("read figures: %w", figuresError(err))
		}
		into = append(into, teams[by])
	}
	err = figuresError(s.readers.figures.aggregate(ctx, q, into))
	if HasCode(err, Invalid) && len(byTeam) > 0 { // too many teams for one pass
		return s.Overview(ctx, q)
	}
	if err != nil {
		return nil, fmt.Errorf("read figures: %w", err)
	}
	return &Overview{All: groups.All(), store: s, query: q, groups: groups, teams: teams}, nil
}

// Top returns the n groups of a grouping that have the most deployments, the most
// first, and how many groups there are. It reads the store again only if there are
// too many projects or teams for one pass.
func (o *Overview) Top(ctx context.Context, by dora.GroupBy, n int) (groups []dora.Group, all int, err error) {
	teams, ok := o.teams[by]
	switch {
	case ok:
		groups = teams.Groups()
	case !by.Team:
		groups, ok = o.groups.By(by)
	}
	all = len(groups)
	if !ok {
		q := o.query
		q.GroupBy, q.Interval = by, dora.NoInterval
		if groups, all, err = o.store.doraOfRanked(ctx, q, n); err != nil {
			return nil, 0, err
		}
	}
	return top(groups, n), all, nil
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
