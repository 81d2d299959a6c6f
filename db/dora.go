package db

import (
	"context"
	"database/sql"
	"time"
)

// Dora holds the figures of one window [from, to), by the time things
// happened. What is undefined is null, never zero: a ratio of nothing, a
// percentile of no samples. The definitions are those of https://dora.dev/guides/dora-metrics/
// where DORA has one; docs/dora.md says each in full.
type Dora struct {
	// Deployments counts those deployed in the window.
	Deployments int64
	// PerDay is Deployments divided by the length of the window in days of 24
	// hours.
	PerDay float64
	// DeploymentDays counts the calendar days with at least one deployment.
	DeploymentDays int64
	// FailedDeployments counts the deployments deployed in the window that at
	// least one incident is linked to, whenever it started.
	FailedDeployments int64
	// ChangeFailureRatio is FailedDeployments divided by Deployments.
	ChangeFailureRatio sql.Null[float64]
	// ReworkDeployments counts the deployments that repaired something in
	// production.
	ReworkDeployments int64
	// ReworkRatio is ReworkDeployments divided by Deployments.
	ReworkRatio sql.Null[float64]
	// LeadTime is how long changes took from the first commit to being
	// deployed, of those deployed in the window.
	LeadTime Distribution
	// DeploymentDuration is how long deployments took, of those deployed in
	// the window of which the start is known.
	DeploymentDuration Distribution
	// FailedDeploymentRecovery is how long incidents linked to a deployment
	// lasted, of those restored in the window.
	FailedDeploymentRecovery Distribution
	// TimeToRestore is how long incidents lasted, of those restored in the
	// window.
	TimeToRestore Distribution
	// TimeToDetect is how long after its deployment an incident started, of
	// those that started in the window and are linked to a deployment that
	// was deployed.
	TimeToDetect Distribution
	// Incidents counts those that started in the window.
	Incidents int64
	// OpenIncidents counts those that had started and were not restored when
	// the window ended, whenever they started.
	OpenIncidents int64
	// Unfinished counts the deployments that began in the window and have
	// not been deployed to this day.
	Unfinished int64
}

// Distribution says how long something took. Its percentiles interpolate
// linearly between the closest ranks, as percentile_cont does in SQL.
type Distribution struct {
	Samples int64
	P50     NullDuration
	P90     NullDuration
	Mean    NullDuration
}

// Interval is the length of the pieces of a series.
type Interval int

// The intervals of a [DoraQuery]. Weeks begin on Monday.
const (
	NoInterval Interval = iota
	Daily
	Weekly
	Monthly
)

// GroupBy says which labels keep things apart. The zero value puts all into
// one group.
type GroupBy struct {
	Project     bool
	Team        bool
	Environment bool
}

// DoraFilter chooses what is looked at. Empty fields match any.
type DoraFilter struct {
	Project     string
	Team        string
	Environment string
}

// DoraQuery asks for figures.
type DoraQuery struct {
	// From and To are the window: From is in it, To is not.
	From, To time.Time
	DoraFilter
	GroupBy GroupBy
	// Interval asks for a series as well.
	Interval Interval
	// Location decides where days, weeks and months begin. Nil means UTC.
	Location *time.Location
}

// DoraGroup is the figures of one group, and its series if one was asked for.
type DoraGroup struct {
	// Project, Team and Environment name the group where it was grouped by
	// them, and are empty otherwise. An unknown team is empty too.
	Project     string
	Team        string
	Environment string
	Dora
	Series []DoraInterval
}

// DoraInterval is the figures of one piece of a series. The first and the last
// end where the window does.
type DoraInterval struct {
	From, To time.Time
	Dora
}

// maxCells bounds how much a series may grow: groups times intervals.
const maxCells = 100_000

// Dora computes the figures of a window, one group after the other in the
// order of their names. Without grouping there is always one group; otherwise
// a group is there when anything of it falls into the window.
func (s *Store) Dora(ctx context.Context, q DoraQuery) ([]DoraGroup, error) {
	if q.Location == nil {
		q.Location = time.UTC
	}
	total := newSheet(q.GroupBy, []int64{millis(q.From), millis(q.To)})
	sheets := []*sheet{total}
	var series *sheet
	if q.Interval != NoInterval {
		series = newSheet(q.GroupBy, q.Interval.bounds(q.From, q.To, q.Location))
		sheets = append(sheets, series)
	}
	c := newComputation(q.Location, sheets...)
	if err := c.read(ctx, s.readers.figures, q); err != nil {
		return nil, err
	}
	if q.GroupBy == (GroupBy{}) { // there even when it is empty
		if _, err := c.route(labels{}); err != nil {
			return nil, err
		}
	}
	groups := make([]DoraGroup, 0, len(total.groups))
	for _, key := range total.keys() {
		group := DoraGroup{
			Project: key.project, Team: key.team, Environment: key.environment,
			Dora: total.figures(key, 0),
		}
		for i := range series.pieces() {
			group.Series = append(group.Series, DoraInterval{
				From: fromMillis(series.bounds[i]), To: fromMillis(series.bounds[i+1]), Dora: series.figures(key, i),
			})
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// Window returns the window of that length that ends now. What happens at this
// very millisecond is in it.
func (s *Store) Window(length time.Duration) (from, to time.Time) {
	to = s.now().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	return to.Add(-length), to
}
