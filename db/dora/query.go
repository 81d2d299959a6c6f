package dora

import (
	"cmp"
	"time"
)

// Query selects the figures of a window.
type Query struct {
	// From and To are the window [From, To), by when things happened.
	From, To time.Time
	Filter
	GroupBy GroupBy
	// Interval adds a series to each group, unless it is NoInterval.
	Interval Interval
	// Location is where days, weeks and months begin. Nil means UTC.
	Location *time.Location
	// RecoveryFrom is where the clock of a recovery starts.
	RecoveryFrom RecoveryStart
}

// RecoveryStart is the date at which the recovery of a failed deployment begins.
type RecoveryStart int

// The starts of a recovery.
const (
	FromIncident   RecoveryStart = iota // the first incident linked to the deployment
	FromDeployment                      // the deployment itself
)

// Length returns the length of the window.
func (q Query) Length() time.Duration { return q.To.Sub(q.From) }

// Filter selects deployments and incidents. Empty fields match any.
type Filter struct {
	Project     string
	Team        string
	Environment string
}

// GroupBy lists the labels to group by. The zero value puts everything into
// one group.
type GroupBy struct {
	Project     bool
	Team        bool
	Environment bool
}

// Labels are what deployments and incidents are grouped by. An unknown team is
// empty.
type Labels struct {
	Project     string
	Team        string
	Environment string
}

func (l Labels) compare(other Labels) int {
	return cmp.Or(cmp.Compare(l.Project, other.Project), cmp.Compare(l.Team, other.Team),
		cmp.Compare(l.Environment, other.Environment))
}

// key returns the labels of the group: those that are not grouped by are empty.
func (by GroupBy) key(l Labels) Labels {
	if !by.Project {
		l.Project = ""
	}
	if !by.Team {
		l.Team = ""
	}
	if !by.Environment {
		l.Environment = ""
	}
	return l
}

// Group has the totals of one group of a window, and the series of its buckets
// if the query has an interval.
type Group struct {
	Labels
	Totals
	Series []Bucket
}

// Bucket has the totals of one interval of a window. The first and the last
// one end where the window does.
type Bucket struct {
	From, To time.Time
	Totals
}
