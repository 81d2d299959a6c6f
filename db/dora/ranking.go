package dora

import (
	"cmp"
	"maps"
	"slices"
)

// Ranking counts the deployments of each group of a query and nothing else, so
// that it has room for many more groups than an [Aggregation]. It is not safe for
// concurrent use.
type Ranking struct {
	by          GroupBy
	deployments map[Labels]int64
}

// NewRanking returns an empty ranking for the grouping of a query.
func NewRanking(q Query) *Ranking {
	return &Ranking{by: q.GroupBy, deployments: map[Labels]int64{}}
}

// GroupBy returns the labels that the ranking groups by.
func (r *Ranking) GroupBy() GroupBy { return r.by }

// AddDeployment counts a deployment. The error is always nil.
func (r *Ranking) AddDeployment(l Labels, _ Deployment) error { return r.add(l, 1) }

// AddUnfinished adds the group of the labels. The error is always nil.
func (r *Ranking) AddUnfinished(l Labels, _ int64) error { return r.add(l, 0) }

// AddAborted adds the group of the labels. The error is always nil.
func (r *Ranking) AddAborted(l Labels, _ int64) error { return r.add(l, 0) }

// AddCommits adds the group of the labels. The error is always nil.
func (r *Ranking) AddCommits(l Labels, _ Commits) error { return r.add(l, 0) }

// AddIncident adds the group of the labels. The error is always nil.
func (r *Ranking) AddIncident(l Labels, _ Incident) error { return r.add(l, 0) }

// AddRecovery adds the group of the labels. The error is always nil.
func (r *Ranking) AddRecovery(l Labels, _ Recovery) error { return r.add(l, 0) }

func (r *Ranking) add(l Labels, deployments int64) error {
	r.deployments[r.by.key(l)] += deployments
	return nil
}

// Len returns the number of groups.
func (r *Ranking) Len() int { return len(r.deployments) }

// Top returns the labels of the groups with the most deployments, at most n.
func (r *Ranking) Top(n int) []Labels {
	groups := slices.SortedFunc(maps.Keys(r.deployments), func(a, b Labels) int {
		return cmp.Or(cmp.Compare(r.deployments[b], r.deployments[a]), a.compare(b))
	})
	return slices.Clone(groups[:min(n, len(groups))])
}
