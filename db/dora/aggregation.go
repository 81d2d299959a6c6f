package dora

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The limits of one query. They bound the memory of an answer whatever is asked.
const (
	// MaxIntervals is how many intervals a series may have: ten years by day.
	MaxIntervals = 4_000
	// MaxGroups is how many groups there may be.
	MaxGroups = 10_000
	// MaxBuckets is how many intervals all groups may have together.
	MaxBuckets = 50_000
)

// TooLargeError reports that a query has more groups or intervals than there may
// be.
type TooLargeError struct {
	// Intervals of each group. They are too many even for one if MaxGroups is 0.
	Intervals int
	// MaxGroups is how many groups there may be with these intervals.
	MaxGroups int
}

func (e *TooLargeError) Error() string {
	if e.MaxGroups == 0 {
		return fmt.Sprintf("%d intervals are more than %d", e.Intervals, MaxIntervals)
	}
	return fmt.Sprintf("more than %d groups of %d intervals", e.MaxGroups, e.Intervals)
}

// Aggregation computes the groups of one query from deployments and incidents
// that its caller adds. The errors of its methods are always a [*TooLargeError].
// It is not safe for concurrent use.
type Aggregation struct {
	buckets
	by       GroupBy
	interval Interval
	only     map[Labels]bool // if set, other groups are ignored
	// The applications of the groups, nil if every group is one.
	applications *applications
}

// NewAggregation returns an empty aggregation for the window, the grouping and
// the interval of a query. Its filter is ignored: the caller adds only what
// matches.
func NewAggregation(q Query) (*Aggregation, error) {
	location := orUTC(q.Location)
	bounds := []int64{q.From.UnixMilli(), q.To.UnixMilli()}
	if q.Interval != NoInterval {
		if n := q.Interval.count(q.From, q.To, location); n > MaxIntervals {
			return nil, &TooLargeError{Intervals: n}
		}
		bounds = q.Interval.bounds(q.From, q.To, location)
	}
	a := &Aggregation{buckets: newBuckets(bounds, location), by: q.GroupBy, interval: q.Interval, applications: newApplications(q)}
	if q.GroupBy == (GroupBy{}) { // the one group exists even when it is empty
		a.addGroup(Labels{})
	}
	return a, nil
}

// Only restricts the aggregation to the groups of these labels.
func (a *Aggregation) Only(groups []Labels) {
	a.only = make(map[Labels]bool, len(groups))
	for _, key := range groups {
		a.only[key] = true
	}
}

func orUTC(location *time.Location) *time.Location {
	if location == nil {
		return time.UTC
	}
	return location
}

// GroupBy returns the labels that must be read: those that the aggregation groups
// by, and those that tell applications apart.
func (a *Aggregation) GroupBy() GroupBy {
	if a.applications != nil {
		return a.applications.by
	}
	return a.by
}

// AddDeployment adds a deployment that was deployed. Deployments must come in
// the order of their DeployedAt.
func (a *Aggregation) AddDeployment(l Labels, d Deployment) error {
	return a.add(l, func(b *buckets, group []accumulator) { b.addDeployment(group, &d) })
}

// AddUnfinished adds a deployment that began, in Unix milliseconds, and is neither
// deployed nor aborted to this day.
func (a *Aggregation) AddUnfinished(l Labels, beganAt int64) error {
	return a.add(l, func(b *buckets, group []accumulator) { b.addUnfinished(group, beganAt) })
}

// AddAborted adds a deployment that was aborted, in Unix milliseconds, and is not
// deployed to this day.
func (a *Aggregation) AddAborted(l Labels, abortedAt int64) error {
	return a.add(l, func(b *buckets, group []accumulator) { b.addAborted(group, abortedAt) })
}

// AddCommits adds the commits of a deployment that was deployed.
func (a *Aggregation) AddCommits(l Labels, c Commits) error {
	return a.add(l, func(b *buckets, group []accumulator) { b.addCommits(group, &c) })
}

// AddIncident adds an incident.
func (a *Aggregation) AddIncident(l Labels, i Incident) error {
	return a.add(l, func(b *buckets, group []accumulator) { b.addIncident(group, &i) })
}

// AddRecovery adds a failed deployment that has recovered, with the labels of the
// deployment.
func (a *Aggregation) AddRecovery(l Labels, r Recovery) error {
	return a.add(l, func(b *buckets, group []accumulator) { b.addRecovery(group, &r) })
}

// add adds something to the group of the labels and to its application.
func (a *Aggregation) add(l Labels, to func(*buckets, []accumulator)) error {
	key := a.by.key(l)
	group, err := a.find(key)
	if group == nil {
		return err
	}
	to(&a.buckets, group)
	if a.applications != nil {
		if application := a.applications.find(key, l); application != nil {
			to(&a.applications.buckets, application)
		}
	}
	return nil
}

// find returns the group of the labels, which is created if it does not exist. It
// returns nil if the group is ignored.
func (a *Aggregation) find(key Labels) ([]accumulator, error) {
	if group, ok := a.groups[key]; ok {
		return group, nil
	}
	if a.only != nil && !a.only[key] {
		return nil, nil
	}
	if limit := min(MaxGroups, MaxBuckets/a.size()); len(a.groups) >= limit {
		return nil, &TooLargeError{Intervals: a.size(), MaxGroups: limit}
	}
	return a.addGroup(key), nil
}

// Groups returns the groups in the order of their labels. Without grouping
// there is exactly one; otherwise a group exists if something was added to it.
func (a *Aggregation) Groups() []Group {
	groups := make([]Group, 0, len(a.groups))
	for _, key := range slices.SortedFunc(maps.Keys(a.groups), Labels.compare) {
		group := a.groups[key]
		g := Group{Labels: key, Totals: a.totals(0, group)}
		if a.interval != NoInterval {
			g.Series = a.series(group)
		}
		if a.applications == nil {
			g.Applications = []Application{{Labels: g.Labels, Totals: g.Totals}}
		}
		groups = append(groups, g)
	}
	if a.applications != nil {
		a.applications.addTo(groups, a.by)
	}
	return groups
}

func (a *Aggregation) series(group []accumulator) []Bucket {
	series := make([]Bucket, len(group))
	var open int64
	for i := range group {
		from, to := time.UnixMilli(a.bounds[i]).UTC(), time.UnixMilli(a.bounds[i+1]).UTC()
		open += group[i].opened
		series[i] = Bucket{From: from, To: to, Totals: group[i].totals(to.Sub(from), open)}
	}
	return series
}
