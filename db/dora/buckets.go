package dora

import (
	"sort"
	"time"
)

// buckets accumulate deployments and incidents by group, and within a group by
// consecutive buckets of the window. Samples are kept once: the totals of several
// buckets or groups are merged when they are asked for.
type buckets struct {
	bounds   []int64 // in Unix milliseconds; one more than there are buckets
	groups   map[Labels][]accumulator
	calendar calendar
	merger   merger
}

func newBuckets(bounds []int64, location *time.Location) buckets {
	c := calendar{location: location}
	first, last := c.day(bounds[0]), c.day(bounds[len(bounds)-1])
	return buckets{
		bounds: bounds, groups: map[Labels][]accumulator{}, calendar: c,
		merger: merger{firstDay: first, seen: make([]bool, max(0, last-first)+1)},
	}
}

// size returns the number of buckets of each group.
func (b *buckets) size() int { return len(b.bounds) - 1 }

func (b *buckets) addGroup(key Labels) []accumulator {
	group := make([]accumulator, b.size())
	b.groups[key] = group
	return group
}

// at returns the bucket that contains a time, nil if none does or there is no
// group.
func (b *buckets) at(group []accumulator, at int64) *accumulator {
	if i := bucketAt(b.bounds, at); i >= 0 && group != nil {
		return &group[i]
	}
	return nil
}

func (b *buckets) addDeployment(group []accumulator, d *Deployment) {
	if bucket := b.at(group, d.DeployedAt); bucket != nil {
		bucket.addDeployment(d, b.calendar.day(d.DeployedAt))
	}
}

func (b *buckets) addUnfinished(group []accumulator, beganAt int64) {
	if bucket := b.at(group, beganAt); bucket != nil {
		bucket.UnfinishedDeployments++
	}
}

func (b *buckets) addAborted(group []accumulator, abortedAt int64) {
	if bucket := b.at(group, abortedAt); bucket != nil {
		bucket.AbortedDeployments++
	}
}

func (b *buckets) addCommits(group []accumulator, c *Commits) {
	if bucket := b.at(group, c.DeployedAt); bucket != nil {
		bucket.addCommits(c)
	}
}

func (b *buckets) addIncident(group []accumulator, i *Incident) {
	if bucket := b.at(group, i.StartedAt); bucket != nil {
		bucket.addStarted(i)
	}
	if bucket := b.at(group, i.RestoredAt); bucket != nil {
		bucket.addRestored(i)
	}
	if group != nil {
		b.addOpen(group, i)
	}
}

func (b *buckets) addRecovery(group []accumulator, r *Recovery) {
	if bucket := b.at(group, r.RecoveredAt); bucket != nil {
		bucket.addRecovery(r)
	}
}

// addOpen counts an incident as open from the first bucket at whose end it is,
// until the first at whose end it is not any more.
func (b *buckets) addOpen(group []accumulator, i *Incident) {
	first, after := b.firstEndAfter(i.StartedAt), len(group)
	if i.RestoredAt != Unknown {
		after = b.firstEndAfter(i.RestoredAt)
	}
	if first < after {
		group[first].opened++
		if after < len(group) {
			group[after].opened--
		}
	}
}

// firstEndAfter returns the index of the first bucket that ends after a time.
func (b *buckets) firstEndAfter(at int64) int {
	return sort.Search(b.size(), func(i int) bool { return b.bounds[i+1] > at })
}

// totals returns the totals of several groups together, from a bucket to the end
// of the window.
func (b *buckets) totals(first int, groups ...[]accumulator) Totals {
	length := time.Duration(b.bounds[b.size()]-b.bounds[first]) * time.Millisecond
	b.merger.parts = b.merger.parts[:0]
	var open int64
	for _, group := range groups {
		for i := range group {
			open += group[i].opened
			if i >= first {
				b.merger.parts = append(b.merger.parts, &group[i])
			}
		}
	}
	if parts := b.merger.parts; len(parts) == 1 {
		return parts[0].totals(length, open)
	}
	return b.merger.totals(length, open)
}

// merger merges accumulators. It reuses its memory.
type merger struct {
	parts    []*accumulator
	samples  []int64
	firstDay int64
	seen     []bool // by day since the first one
}

func (m *merger) totals(length time.Duration, open int64) Totals {
	t := Totals{Length: length}
	for _, part := range m.parts {
		t.Counts.add(part.Counts)
	}
	t.DeploymentDays, t.OpenIncidents = m.days(), open
	t.LeadTime = m.distribution(func(a *accumulator) []int64 { return a.lead })
	t.CommitLeadTime = m.distribution(func(a *accumulator) []int64 { return a.commitLead })
	t.DeploymentDuration = m.distribution(func(a *accumulator) []int64 { return a.duration })
	t.FailedDeploymentRecovery = m.distribution(func(a *accumulator) []int64 { return a.recovery })
	t.TimeToRestore = m.distribution(func(a *accumulator) []int64 { return a.restore })
	t.TimeToDetect = m.distribution(func(a *accumulator) []int64 { return a.detection })
	return t
}

// days counts the days on which at least one part has a deployment.
func (m *merger) days() (n int64) {
	clear(m.seen)
	for _, part := range m.parts {
		for _, day := range part.days {
			if i := int64(day) - m.firstDay; !m.seen[i] {
				m.seen[i], n = true, n+1
			}
		}
	}
	return n
}

func (m *merger) distribution(samples func(*accumulator) []int64) Distribution {
	m.samples = m.samples[:0]
	for _, part := range m.parts {
		m.samples = append(m.samples, samples(part)...)
	}
	return newDistribution(m.samples)
}
