package dora

import (
	"cmp"
	"maps"
	"slices"
)

// noPlace replaces a label that has no place. No name contains a control
// character.
const noPlace = "\x00"

// Places are the environments, and the projects and teams in an environment, that
// have totals of their own in [Windows]. There is a limited number of each; who
// comes first takes a place and keeps it. A nil *Places has no limit. It is not
// safe for concurrent use.
type Places struct {
	limit int
	taken map[Labels]struct{}
	// How many are taken. In an environment without a place nobody has one.
	environments, projects, teams int
}

// NewPlaces returns places for so many environments, projects and teams each.
func NewPlaces(limit int) *Places { return &Places{limit: limit, taken: map[Labels]struct{}{}} }

// Clone returns a copy.
func (p *Places) Clone() *Places {
	if p == nil {
		return nil
	}
	clone := *p
	clone.taken = maps.Clone(p.taken)
	return &clone
}

// Take takes a place for each of the labels that has none, if there is one left.
func (p *Places) Take(l Labels) { p.find(l) }

// Taken returns the labels that have a place, in an order in which taking them
// leads to the same places.
func (p *Places) Taken() []Labels {
	return slices.SortedFunc(maps.Keys(p.taken), func(a, b Labels) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Project, b.Project), cmp.Compare(a.Team, b.Team))
	})
}

// find takes a place for each of the labels that has none, and returns the labels
// with noPlace for those that got none.
func (p *Places) find(l Labels) Labels {
	if p == nil {
		return l
	}
	if !p.take(Labels{Environment: l.Environment}, &p.environments) {
		l.Environment, l.Project = noPlace, noPlace
		if l.Team != "" {
			l.Team = noPlace
		}
		return l
	}
	if !p.take(Labels{Environment: l.Environment, Project: l.Project}, &p.projects) {
		l.Project = noPlace
	}
	if l.Team != "" && !p.take(Labels{Environment: l.Environment, Team: l.Team}, &p.teams) {
		l.Team = noPlace
	}
	return l
}

func (p *Places) take(owner Labels, taken *int) bool {
	if _, ok := p.taken[owner]; ok {
		return true
	}
	if *taken >= p.limit {
		return false
	}
	p.taken[owner] = struct{}{}
	*taken++
	return true
}

// owner returns whose totals in a scope something with these labels belongs to,
// and false if there are no such totals.
func (s Scope) owner(placed Labels) (Labels, bool) {
	environment := placed.Environment
	switch s {
	case ScopeTeam:
		return Labels{Environment: environment, Team: placed.Team}, placed.Team != "" && placed.Team != noPlace
	case ScopeProject:
		return Labels{Environment: environment, Project: placed.Project}, placed.Project != noPlace
	case ScopeOverflow:
		return Labels{}, placed.Project == noPlace
	default:
		return Labels{Environment: environment}, environment != noPlace
	}
}
