package dora

import (
	"maps"
	"slices"
)

// applications accumulate the window of each application of each group. There may
// be MaxGroups of them; beyond that there are none. It is not safe for concurrent
// use.
type applications struct {
	buckets
	by       GroupBy // the labels of the groups, and those that tell applications apart
	tooMany  bool
	place    map[Labels]string // the environment of each group
	isSpread map[Labels]bool   // the groups with several environments
}

// newApplications returns the applications of the groups of a query, nil if every
// group is one application.
func newApplications(q Query) *applications {
	by := q.GroupBy
	by.Project = by.Project || q.Project == ""
	by.Environment = by.Environment || q.Environment == ""
	if by == q.GroupBy {
		return nil
	}
	return applicationsBy(q, by)
}

// applicationsBy returns applications that these labels tell apart.
func applicationsBy(q Query, by GroupBy) *applications {
	bounds := []int64{q.From.UnixMilli(), q.To.UnixMilli()}
	return &applications{
		buckets: newBuckets(bounds, orUTC(q.Location)), by: by, place: map[Labels]string{}, isSpread: map[Labels]bool{},
	}
}

// find returns the application of the labels in a group, which is created if it
// does not exist. It returns nil if there are too many.
func (a *applications) find(group, l Labels) []accumulator {
	key := a.by.key(l)
	if found, ok := a.groups[key]; ok {
		return found
	}
	if environment, ok := a.place[group]; !ok {
		a.place[group] = key.Environment
	} else if environment != key.Environment {
		a.isSpread[group] = true
	}
	if a.tooMany || len(a.groups) >= MaxGroups {
		a.tooMany = true
		return nil
	}
	return a.addGroup(key)
}

// addTo adds the applications to their groups.
func (a *applications) addTo(groups []Group, by GroupBy) {
	index := make(map[Labels]int, len(groups))
	for i := range groups {
		index[groups[i].Labels] = i
		groups[i].MixedEnvironments = a.isSpread[groups[i].Labels]
	}
	if a.tooMany {
		return
	}
	for _, key := range slices.SortedFunc(maps.Keys(a.groups), Labels.compare) {
		g := &groups[index[by.key(key)]]
		g.Applications = append(g.Applications, Application{Labels: key, Totals: a.totals(0, a.groups[key])})
	}
}
