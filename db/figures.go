package db

import (
	"context"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// Dora computes the groups of a query in the order of their labels. Without
// grouping there is exactly one group; otherwise a group exists if any
// deployment or incident of it falls into the window.
func (s *Store) Dora(ctx context.Context, q dora.Query) ([]dora.Group, error) {
	groups := dora.NewAggregation(q)
	if err := s.readers.figures.aggregate(ctx, q, dora.NewAggregator(q.Location, groups)); err != nil {
		return nil, err
	}
	return groups.Groups(), nil
}

// Scope is what the figures of a window are grouped by, besides environments.
type Scope string

// The scopes of a [ScopeTotals].
const (
	ScopeProject Scope = "project"
	ScopeTeam    Scope = "team"
	ScopeAll     Scope = "all"
)

// ScopeTotals are the totals of one project, one team, or all of them in one
// environment, over a window that ends now. Project is set for ScopeProject,
// Team for ScopeTeam.
type ScopeTotals struct {
	Scope Scope
	dora.Labels
	dora.Totals
}

// DoraWindows computes the totals of windows of several lengths for every scope
// in one pass over the store. A project or team has totals in every window if
// anything of it falls into the longest one.
func (s *Store) DoraWindows(ctx context.Context, lengths []time.Duration) ([]ScopeTotals, error) {
	if len(lengths) == 0 {
		return nil, nil
	}
	var scopes []Scope
	var aggregations []*dora.Aggregation
	from, to := s.Window(slices.Max(lengths))
	for _, scope := range []struct {
		name Scope
		by   dora.GroupBy
	}{
		{ScopeAll, dora.GroupBy{Environment: true}},
		{ScopeTeam, dora.GroupBy{Team: true, Environment: true}},
		{ScopeProject, dora.GroupBy{Project: true, Environment: true}},
	} {
		for _, length := range lengths {
			scopes = append(scopes, scope.name)
			aggregations = append(aggregations, dora.NewAggregation(dora.Query{From: to.Add(-length), To: to, GroupBy: scope.by}))
		}
	}
	if err := s.readers.scrapes.aggregate(ctx, dora.Query{From: from, To: to}, dora.NewAggregator(time.UTC, aggregations...)); err != nil {
		return nil, err
	}
	var windows []ScopeTotals
	for i, a := range aggregations {
		for _, g := range a.Groups() {
			if scopes[i] != ScopeTeam || g.Team != "" {
				windows = append(windows, ScopeTotals{Scope: scopes[i], Labels: g.Labels, Totals: g.Totals})
			}
		}
	}
	return windows, nil
}

// Window returns the window of a length that ends now. What happens in this
// very millisecond is in it.
func (s *Store) Window(length time.Duration) (from, to time.Time) {
	to = s.now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	return to.Add(-length), to
}
