package db

import (
	"context"
	"slices"
	"time"
)

// Scope says whose figures they are.
type Scope string

// The scopes of a [DoraWindow].
const (
	ScopeProject Scope = "project"
	ScopeTeam    Scope = "team"
	ScopeAll     Scope = "all"
)

// DoraWindow is the figures of one project, one team or all, in one
// environment, over a window that ends now.
type DoraWindow struct {
	Scope       Scope
	Project     string // of ScopeProject
	Team        string // of ScopeTeam
	Environment string
	Length      time.Duration
	Dora
}

// DoraWindows computes the figures of several windows for every scope from one
// reading of the store. A project or a team is there, in every window, when
// anything of it falls into the longest.
func (s *Store) DoraWindows(ctx context.Context, lengths []time.Duration) ([]DoraWindow, error) {
	if len(lengths) == 0 {
		return nil, nil
	}
	scopes := []struct {
		name Scope
		by   GroupBy
	}{
		{ScopeAll, GroupBy{Environment: true}},
		{ScopeTeam, GroupBy{Team: true, Environment: true}},
		{ScopeProject, GroupBy{Project: true, Environment: true}},
	}
	begin, end := s.Window(slices.Max(lengths))
	var sheets []*sheet
	for _, scope := range scopes {
		for _, length := range lengths {
			sheets = append(sheets, newSheet(scope.by, []int64{millis(end.Add(-length)), millis(end)}))
		}
	}
	if err := newComputation(time.UTC, sheets...).read(ctx, s.readers.scrapes, DoraQuery{From: begin, To: end}); err != nil {
		return nil, err
	}
	var windows []DoraWindow
	for i, sheet := range sheets {
		for _, key := range sheet.keys() {
			scope := scopes[i/len(lengths)].name
			if scope == ScopeTeam && key.team == "" {
				continue // nobody's figures
			}
			windows = append(windows, DoraWindow{
				Scope: scope, Project: key.project, Team: key.team, Environment: key.environment,
				Length: lengths[i%len(lengths)], Dora: sheet.figures(key, 0),
			})
		}
	}
	return windows, nil
}
