package dora

import (
	"maps"
	"slices"
	"time"
)

// Scope is what the totals of [Windows] are grouped by, besides environments.
type Scope string

// The scopes of a [ScopeTotals].
const (
	ScopeAll     Scope = "all"
	ScopeTeam    Scope = "team"
	ScopeProject Scope = "project"
	// ScopeOverflow is all projects without a place, in any environment. It has no
	// labels.
	ScopeOverflow Scope = "overflow"
)

// ScopeTotals are the totals of one project, one team, or all of them in one
// environment, over one window. Project is set for ScopeProject, Team for
// ScopeTeam.
type ScopeTotals struct {
	Scope Scope
	Labels
	Totals
}

// Windows computes the totals of windows of several lengths that end together,
// for every scope. Its memory is bounded by its [Places] and by the samples of the
// longest window. Each project counts in the totals of its team and of all, whether
// it has a place or not. It is not safe for concurrent use.
type Windows struct {
	buckets
	lengths []time.Duration
	places  *Places
}

// NewWindows returns empty windows that end at a time. Places that are free are
// taken by what is added.
func NewWindows(to time.Time, lengths []time.Duration, places *Places) *Windows {
	bounds := []int64{to.UnixMilli()}
	for _, length := range lengths {
		bounds = append(bounds, to.Add(-length).UnixMilli())
	}
	slices.Sort(bounds)
	return &Windows{buckets: newBuckets(slices.Compact(bounds), time.UTC), lengths: lengths, places: places}
}

// GroupBy returns the labels that must be read: all of them.
func (w *Windows) GroupBy() GroupBy { return GroupBy{Project: true, Team: true, Environment: true} }

// AddDeployment adds a deployment that was deployed. Deployments must come in
// the order of their DeployedAt. The error is always nil.
func (w *Windows) AddDeployment(l Labels, d Deployment) error {
	w.addDeployment(w.find(l), &d)
	return nil
}

// AddUnfinished adds a deployment that began, in Unix milliseconds, and is neither
// deployed nor aborted to this day. The error is always nil.
func (w *Windows) AddUnfinished(l Labels, beganAt int64) error {
	w.addUnfinished(w.find(l), beganAt)
	return nil
}

// AddAborted adds a deployment that was aborted, in Unix milliseconds, and is not
// deployed to this day. The error is always nil.
func (w *Windows) AddAborted(l Labels, abortedAt int64) error {
	w.addAborted(w.find(l), abortedAt)
	return nil
}

// AddCommits adds the commits of a deployment that was deployed. The error is always
// nil.
func (w *Windows) AddCommits(l Labels, c Commits) error {
	w.addCommits(w.find(l), &c)
	return nil
}

// AddIncident adds an incident. The error is always nil.
func (w *Windows) AddIncident(l Labels, i Incident) error {
	w.addIncident(w.find(l), &i)
	return nil
}

// AddRecovery adds a failed deployment that has recovered, with the labels of the
// deployment. The error is always nil.
func (w *Windows) AddRecovery(l Labels, r Recovery) error {
	w.addRecovery(w.find(l), &r)
	return nil
}

func (w *Windows) find(l Labels) []accumulator {
	if group, ok := w.groups[l]; ok {
		return group
	}
	key := w.places.find(l)
	if group, ok := w.groups[key]; ok {
		return group
	}
	return w.addGroup(key)
}

// Totals returns the totals by scope, by window and by labels. Whatever exists in
// the longest window has totals in every window.
func (w *Windows) Totals() []ScopeTotals {
	var all []ScopeTotals
	for _, scope := range []Scope{ScopeAll, ScopeTeam, ScopeProject, ScopeOverflow} {
		members := map[Labels][][]accumulator{}
		for placed, group := range w.groups {
			if owner, ok := scope.owner(placed); ok {
				members[owner] = append(members[owner], group)
			}
		}
		owners := slices.SortedFunc(maps.Keys(members), Labels.compare)
		for _, length := range w.lengths {
			first, _ := slices.BinarySearch(w.bounds, w.bounds[w.size()]-length.Milliseconds())
			for _, owner := range owners {
				all = append(all, ScopeTotals{scope, owner, w.totals(first, members[owner]...)})
			}
		}
	}
	return all
}
