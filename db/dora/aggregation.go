package dora

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// maxBuckets is the most buckets that an aggregation may have: groups times
// intervals.
const maxBuckets = 100_000

// TooLargeError reports that a series has more buckets than fit in an answer.
type TooLargeError struct{ Groups, Intervals int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%d groups times %d intervals are too many", e.Groups, e.Intervals)
}

// Aggregation computes the groups of one query from the deployments and
// incidents that an [Aggregator] adds. It is not safe for concurrent use.
type Aggregation struct {
	by       GroupBy
	from, to int64   // the window, in Unix milliseconds
	bounds   []int64 // of the buckets, one more than there are; nil without an interval
	groups   map[Labels]*group
}

// group accumulates the window and its buckets.
type group struct {
	window  accumulator
	buckets []accumulator
}

// NewAggregation returns an empty aggregation for the window, the grouping and
// the interval of a query. Its filter is ignored: the caller adds only what
// matches.
func NewAggregation(q Query) *Aggregation {
	a := &Aggregation{
		by: q.GroupBy, from: q.From.UnixMilli(), to: q.To.UnixMilli(), groups: map[Labels]*group{},
	}
	if q.Interval != NoInterval {
		a.bounds = q.Interval.bounds(q.From, q.To, orUTC(q.Location))
	}
	if q.GroupBy == (GroupBy{}) { // the one group exists even when it is empty
		a.groups[Labels{}] = &group{buckets: make([]accumulator, a.intervals())}
	}
	return a
}

func orUTC(location *time.Location) *time.Location {
	if location == nil {
		return time.UTC
	}
	return location
}

// intervals returns the number of buckets of each group.
func (a *Aggregation) intervals() int { return max(0, len(a.bounds)-1) }

// group returns the group of these labels, which is created if it does not
// exist. The error is a [*TooLargeError].
func (a *Aggregation) group(l Labels) (*group, error) {
	key := a.by.key(l)
	g, ok := a.groups[key]
	if !ok {
		if groups := len(a.groups) + 1; a.intervals() > 1 && groups*a.intervals() > maxBuckets {
			return nil, &TooLargeError{Groups: groups, Intervals: a.intervals()}
		}
		g = &group{buckets: make([]accumulator, a.intervals())}
		a.groups[key] = g
	}
	return g, nil
}

// at visits the accumulators of the window and of the bucket that contain a
// time, if they do.
func (a *Aggregation) at(g *group, at int64, visit func(*accumulator)) {
	if at < a.from || at >= a.to {
		return
	}
	visit(&g.window)
	if i := bucketAt(a.bounds, at); i >= 0 {
		visit(&g.buckets[i])
	}
}

// addOpen counts an incident in the window and in every bucket at whose end it
// is open.
func (a *Aggregation) addOpen(g *group, i *Incident) {
	g.window.addOpen(i, a.to)
	for n := range g.buckets {
		g.buckets[n].addOpen(i, a.bounds[n+1])
	}
}

// Groups returns the groups in the order of their labels. Without grouping
// there is exactly one; otherwise a group exists if something was added to it.
func (a *Aggregation) Groups() []Group {
	groups := make([]Group, 0, len(a.groups))
	for _, key := range slices.SortedFunc(maps.Keys(a.groups), Labels.compare) {
		accumulated := a.groups[key]
		g := Group{Labels: key, Totals: accumulated.window.totals(time.Duration(a.to-a.from) * time.Millisecond)}
		for i := range accumulated.buckets {
			from, to := time.UnixMilli(a.bounds[i]).UTC(), time.UnixMilli(a.bounds[i+1]).UTC()
			g.Series = append(g.Series, Bucket{From: from, To: to, Totals: accumulated.buckets[i].totals(to.Sub(from))})
		}
		groups = append(groups, g)
	}
	return groups
}

// Aggregator adds deployments and incidents to several aggregations at once,
// so that one pass over the store serves them all. Every error is a
// [*TooLargeError].
type Aggregator struct {
	aggregations []*Aggregation
	groups       map[Labels][]*group // of each aggregation, so that labels are looked up once
	calendar     calendar
}

// NewAggregator returns an aggregator whose calendar days begin in a location,
// UTC if it is nil.
func NewAggregator(location *time.Location, aggregations ...*Aggregation) *Aggregator {
	return &Aggregator{
		aggregations: aggregations, groups: map[Labels][]*group{},
		calendar: calendar{location: orUTC(location)},
	}
}

// GroupBy returns the labels that at least one aggregation groups by. The
// others need not be read.
func (a *Aggregator) GroupBy() (by GroupBy) {
	for _, aggregation := range a.aggregations {
		by.Project = by.Project || aggregation.by.Project
		by.Team = by.Team || aggregation.by.Team
		by.Environment = by.Environment || aggregation.by.Environment
	}
	return by
}

// AddDeployment adds a deployment that was deployed. Deployments must come in
// the order of their DeployedAt.
func (a *Aggregator) AddDeployment(l Labels, d Deployment) error {
	groups, err := a.find(l)
	if err != nil {
		return err
	}
	day := a.calendar.day(d.DeployedAt)
	for n, aggregation := range a.aggregations {
		aggregation.at(groups[n], d.DeployedAt, func(t *accumulator) { t.addDeployment(&d, day) })
	}
	return nil
}

// AddUnfinished adds a deployment that began, in Unix milliseconds, and is not
// deployed to this day.
func (a *Aggregator) AddUnfinished(l Labels, beganAt int64) error {
	groups, err := a.find(l)
	if err != nil {
		return err
	}
	for n, aggregation := range a.aggregations {
		aggregation.at(groups[n], beganAt, func(t *accumulator) { t.UnfinishedDeployments++ })
	}
	return nil
}

// AddIncident adds an incident.
func (a *Aggregator) AddIncident(l Labels, i Incident) error {
	groups, err := a.find(l)
	if err != nil {
		return err
	}
	for n, aggregation := range a.aggregations {
		aggregation.at(groups[n], i.StartedAt, func(t *accumulator) { t.addStarted(&i) })
		aggregation.at(groups[n], i.RestoredAt, func(t *accumulator) { t.addRestored(&i) })
		aggregation.addOpen(groups[n], &i)
	}
	return nil
}

// find returns the group of the labels in each aggregation.
func (a *Aggregator) find(l Labels) ([]*group, error) {
	if groups, ok := a.groups[l]; ok {
		return groups, nil
	}
	groups := make([]*group, len(a.aggregations))
	for n, aggregation := range a.aggregations {
		var err error
		if groups[n], err = aggregation.group(l); err != nil {
			return nil, err
		}
	}
	a.groups[l] = groups
	return groups, nil
}
