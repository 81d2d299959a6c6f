package dora

import (
	"cmp"
	"maps"
	"slices"
)

// Overview computes the one group of a query without grouping, and from the same
// deployments and incidents the groups by project, by environment or by both. It is
// not safe for concurrent use.
type Overview struct {
	*Aggregation
	filter Filter
	all    *Group // nil before it is asked for
}

// NewOverview returns an empty overview for the window and the interval of a query.
// Its filter is only for the labels of groups: the caller adds only what matches.
func NewOverview(q Query) (*Overview, error) {
	q.GroupBy = GroupBy{}
	a, err := NewAggregation(q)
	if err != nil {
		return nil, err
	}
	if a.applications == nil { // the one group is an application
		a.applications = applicationsBy(q, GroupBy{})
	}
	return &Overview{Aggregation: a, filter: q.Filter}, nil
}

// All returns the one group. Nothing can be added afterwards.
func (o *Overview) All() Group {
	if o.all == nil {
		all := o.Groups()[0]
		if o.applications.by == (GroupBy{}) {
			all.Applications = []Application{{Totals: all.Totals}}
		}
		o.all = &all
	}
	return *o.all
}

// By returns the groups by project, by environment or by both, in the order of
// their labels and without series, and false if there are too many applications to
// tell. Nothing can be added afterwards.
func (o *Overview) By(by GroupBy) ([]Group, bool) {
	all := o.All()
	if o.applications.tooMany {
		return nil, false
	}
	groups, parts := map[Labels]*Group{}, map[Labels][][]accumulator{}
	for _, one := range all.Applications {
		accumulators, ok := o.applications.groups[one.Labels]
		if !ok { // the one group, if it is empty
			continue
		}
		one.Labels = o.label(one.Labels, by)
		key := by.key(one.Labels)
		if groups[key] == nil {
			groups[key] = &Group{Labels: key, Totals: one.Totals}
		}
		g := groups[key]
		g.MixedEnvironments = g.MixedEnvironments || len(g.Applications) > 0 && g.Applications[0].Environment != one.Environment
		g.Applications = append(g.Applications, one)
		parts[key] = append(parts[key], accumulators)
	}
	list := make([]Group, 0, len(groups))
	for _, key := range slices.SortedFunc(maps.Keys(groups), Labels.compare) {
		g := groups[key]
		if len(parts[key]) > 1 {
			g.Totals = o.applications.totals(0, parts[key]...)
		}
		list = append(list, *g)
	}
	return list, true
}

// label fills in labels that are grouped by and were not read, because the filter
// has them.
func (o *Overview) label(l Labels, by GroupBy) Labels {
	if by.Project {
		l.Project = cmp.Or(l.Project, o.filter.Project)
	}
	if by.Environment {
		l.Environment = cmp.Or(l.Environment, o.filter.Environment)
	}
	return l
}
