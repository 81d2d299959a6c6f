package db_test

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// The computation here is as naive as can be, and shares no code with the one
// it checks: for every group and every window it walks through everything that
// ever happened.

type bruteKey struct{ project, team, environment string }

func bruteDora(h history, q dora.Query) []dora.Group {
	var keep history
	fits := func(project, team, environment string) bool {
		return (q.Project == "" || q.Project == project) && (q.Team == "" || q.Team == team) &&
			(q.Environment == "" || q.Environment == environment) &&
			(q.Environment != "" || len(q.Environments) == 0 || q.Environments.Match(environment))
	}
	for _, d := range h.deployments {
		if fits(d.project, d.team, d.environment) {
			keep.deployments = append(keep.deployments, d)
		}
	}
	for _, i := range h.incidents {
		if fits(i.project, i.team, i.environment) {
			keep.incidents = append(keep.incidents, i)
		}
	}
	location := q.Location
	if location == nil {
		location = time.UTC
	}
	groups := []dora.Group{}
	for _, key := range bruteKeys(h, keep, q) {
		mine := func(project, team, environment string) bool {
			return bruteKeyOf(q.GroupBy, project, team, environment) == key
		}
		group := dora.Group{
			Labels: dora.Labels{Project: key.project, Team: key.team, Environment: key.environment},
			Totals: bruteFigures(h, keep, mine, q.From, q.To, location, q.RecoveryFrom),
		}
		if q.Interval != dora.NoInterval {
			for _, piece := range brutePieces(q, location) {
				group.Series = append(group.Series, dora.Bucket{
					From: piece[0].UTC(), To: piece[1].UTC(),
					Totals: bruteFigures(h, keep, mine, piece[0], piece[1], location, q.RecoveryFrom),
				})
			}
		}
		group.Applications, group.MixedEnvironments = bruteApplications(h, keep, q, key, location)
		groups = append(groups, group)
	}
	return groups
}

// bruteApplications returns the projects in their environments of a group, and
// whether there are several environments. What is filtered by needs no name.
func bruteApplications(h, keep history, q dora.Query, group bruteKey, location *time.Location) (all []dora.Application, mixed bool) {
	coarse := q.GroupBy
	q.GroupBy.Project = q.GroupBy.Project || q.Project == ""
	q.GroupBy.Environment = q.GroupBy.Environment || q.Environment == ""
	environments := map[string]bool{}
	for _, key := range bruteKeys(h, keep, q) {
		if bruteKeyOf(coarse, key.project, key.team, key.environment) != group {
			continue
		}
		mine := func(project, team, environment string) bool {
			return bruteKeyOf(q.GroupBy, project, team, environment) == key
		}
		environments[key.environment] = true
		all = append(all, dora.Application{
			Labels: dora.Labels{Project: key.project, Team: key.team, Environment: key.environment},
			Totals: bruteFigures(h, keep, mine, q.From, q.To, location, q.RecoveryFrom),
		})
	}
	return all, len(environments) > 1
}

func bruteKeyOf(by dora.GroupBy, project, team, environment string) (key bruteKey) {
	if by.Project {
		key.project = project
	}
	if by.Team {
		key.team = team
	}
	if by.Environment {
		key.environment = environment
	}
	return key
}

func within(at, from, to time.Time) bool { return !at.IsZero() && !at.Before(from) && at.Before(to) }

func bruteKeys(all, h history, q dora.Query) (keys []bruteKey) {
	if q.GroupBy == (dora.GroupBy{}) {
		return []bruteKey{{}}
	}
	for _, d := range h.deployments {
		_, recovered := bruteRecovery(all, d)
		if within(recovered, q.From, q.To) || within(d.deployed, q.From, q.To) ||
			d.deployed.IsZero() && (within(d.aborted, q.From, q.To) || d.aborted.IsZero() && within(d.start, q.From, q.To)) {
			keys = append(keys, bruteKeyOf(q.GroupBy, d.project, d.team, d.environment))
		}
	}
	for _, i := range h.incidents {
		open := i.started.Before(q.To) && (i.restored.IsZero() || !i.restored.Before(q.To))
		if open || within(i.started, q.From, q.To) || within(i.restored, q.From, q.To) {
			keys = append(keys, bruteKeyOf(q.GroupBy, i.project, i.team, i.environment))
		}
	}
	slices.SortFunc(keys, func(a, b bruteKey) int {
		return strings.Compare(a.project+"\x00"+a.team+"\x00"+a.environment, b.project+"\x00"+b.team+"\x00"+b.environment)
	})
	return slices.Compact(keys)
}

// brutePieces walks through the window by quarters of an hour, where days begin
// all over the world, and cuts where the name of the day, week or month changes.
func brutePieces(q dora.Query, location *time.Location) (pieces [][2]time.Time) {
	name := func(at time.Time) string {
		at = at.In(location)
		switch q.Interval {
		case dora.Weekly:
			year, week := at.ISOWeek()
			return time.Date(year, 1, week, 0, 0, 0, 0, time.UTC).String()
		case dora.Monthly:
			return at.Format("2006-01")
		default:
			return at.Format(time.DateOnly)
		}
	}
	begin := q.From
	for at := q.From.Truncate(15 * time.Minute); at.Before(q.To); at = at.Add(15 * time.Minute) {
		if name(at) != name(begin) {
			pieces, begin = append(pieces, [2]time.Time{begin, at}), at
		}
	}
	return append(pieces, [2]time.Time{begin, q.To})
}

// bruteRecovery returns when the first incident of a deployment started and, if
// it was deployed and all of them are restored, when the last one was. Without
// incidents it returns when it was deployed and rolled back.
func bruteRecovery(all history, d pastDeployment) (first, recovered time.Time) {
	if d.deployed.IsZero() {
		return first, recovered
	}
	for _, i := range all.incidents {
		if !d.caused(i) {
			continue
		}
		if i.restored.IsZero() {
			return time.Time{}, time.Time{}
		}
		if first.IsZero() || i.started.Before(first) {
			first = i.started
		}
		if i.restored.After(recovered) {
			recovered = i.restored
		}
	}
	if first.IsZero() {
		return d.deployed, d.rolledBack
	}
	return first, recovered
}

func bruteFigures(
	all, h history, mine func(project, team, environment string) bool, from, to time.Time, location *time.Location, clock dora.RecoveryStart,
) dora.Totals {
	var f dora.Totals
	days := map[string]bool{}
	var lead, commits, duration, recovery, restore, detect []time.Duration
	for _, d := range h.deployments {
		if !mine(d.project, d.team, d.environment) {
			continue
		}
		if d.deployed.IsZero() && d.aborted.IsZero() && within(d.start, from, to) {
			f.UnfinishedDeployments++
		}
		if d.deployed.IsZero() && within(d.aborted, from, to) {
			f.AbortedDeployments++
		}
		if first, recovered := bruteRecovery(all, d); within(recovered, from, to) {
			if clock == dora.FromDeployment {
				first = d.deployed
			}
			recovery = append(recovery, between(first, recovered))
		}
		if !within(d.deployed, from, to) {
			continue
		}
		f.Deployments++
		days[d.deployed.In(location).Format(time.DateOnly)] = true
		if d.failed || !d.rolledBack.IsZero() || slices.ContainsFunc(all.incidents, d.caused) {
			f.FailedDeployments++
		}
		if d.rework || d.rollback {
			f.ReworkDeployments++
		}
		if !d.rollback { // which brings no commits
			if !d.commit.IsZero() {
				lead = append(lead, between(d.commit, d.deployed))
			}
			for _, at := range d.commits {
				commits = append(commits, between(at, d.deployed))
			}
		}
		if !d.start.IsZero() {
			duration = append(duration, between(d.start, d.deployed))
		}
	}
	for _, i := range h.incidents {
		if !mine(i.project, i.team, i.environment) {
			continue
		}
		if within(i.started, from, to) {
			f.Incidents++
			if i.deployment == "" {
				f.UnlinkedIncidents++
			}
			for _, d := range all.deployments {
				if d.caused(i) && !d.deployed.IsZero() {
					detect = append(detect, between(d.deployed, i.started))
				}
			}
		}
		if within(i.restored, from, to) {
			restore = append(restore, between(i.started, i.restored))
		}
		if i.started.Before(to) && (i.restored.IsZero() || !i.restored.Before(to)) {
			f.OpenIncidents++
		}
	}
	f.Length = to.Sub(from)
	f.DeploymentDays = int64(len(days))
	f.LeadTime, f.DeploymentDuration = bruteDistribution(lead), bruteDistribution(duration)
	f.FailedDeploymentRecovery, f.TimeToRestore = bruteDistribution(recovery), bruteDistribution(restore)
	f.TimeToDetect, f.CommitLeadTime = bruteDistribution(detect), bruteDistribution(commits)
	return f
}

func between(from, to time.Time) time.Duration {
	if to.Before(from) {
		return 0
	}
	return to.Sub(from).Truncate(time.Millisecond)
}

// bruteDistribution computes with exact fractions.
func bruteDistribution(values []time.Duration) dora.Distribution {
	if len(values) == 0 {
		return dora.Distribution{}
	}
	values = slices.Clone(values)
	slices.Sort(values)
	sum := new(big.Rat)
	for _, v := range values {
		sum.Add(sum, new(big.Rat).SetInt64(int64(v)))
	}
	nth := func(tenths int) time.Duration {
		// The rank is tenths/10 · (n − 1), counted from zero.
		whole, rest := tenths*(len(values)-1)/10, tenths*(len(values)-1)%10
		value := new(big.Rat).SetInt64(int64(values[whole]))
		if rest > 0 {
			step := new(big.Rat).SetInt64(int64(values[whole+1] - values[whole]))
			value.Add(value, step.Mul(step, big.NewRat(int64(rest), 10)))
		}
		return rounded(value)
	}
	// The interval leaves out as many of the least as of the greatest: one less than
	// half the samples, less 0.98 times their root, rounded.
	low := max(0, int(math.Floor(float64(len(values))/2-0.98*math.Sqrt(float64(len(values)))+0.5))-1)
	return dora.Distribution{
		Samples: int64(len(values)), P50: nth(5), P90: nth(9), Low: values[low], High: values[len(values)-1-low],
		Mean: rounded(sum.Quo(sum, new(big.Rat).SetInt64(int64(len(values))))),
	}
}

// rounded rounds to a microsecond, which is as exact as the figures claim to
// be: three digits below what is stored.
func rounded(value *big.Rat) time.Duration {
	f, _ := value.Float64()
	return time.Duration(math.Round(f/1000)) * time.Microsecond
}

func bruteWindows(h history, lengths []time.Duration, to time.Time) (windows []dora.ScopeTotals) {
	longest := to.Add(-slices.Max(lengths))
	for _, scope := range []struct {
		name dora.Scope
		by   dora.GroupBy
	}{
		{dora.ScopeAll, dora.GroupBy{Environment: true}},
		{dora.ScopeTeam, dora.GroupBy{Environment: true, Team: true}},
		{dora.ScopeProject, dora.GroupBy{Environment: true, Project: true}},
	} {
		for _, length := range lengths {
			for _, key := range bruteKeys(h, h, dora.Query{From: longest, To: to, GroupBy: scope.by}) {
				if scope.name == dora.ScopeTeam && key.team == "" {
					continue
				}
				mine := func(project, team, environment string) bool {
					return bruteKeyOf(scope.by, project, team, environment) == key
				}
				windows = append(windows, dora.ScopeTotals{
					Scope: scope.name, Labels: dora.Labels{Project: key.project, Team: key.team, Environment: key.environment},
					Totals: bruteFigures(h, h, mine, to.Add(-length), to, time.UTC, dora.FromIncident),
				})
			}
		}
	}
	return windows
}

// placed are the labels that take two places each: of three projects in two
// environments, two have one.
var placed = []dora.Labels{
	{Environment: "production", Project: "shop", Team: "blue"}, {Environment: "staging", Project: "api", Team: "blue"},
}

// bruteLimitedWindows are those of the windows that are placed, or of all, and what
// the other projects have in any environment.
func bruteLimitedWindows(h history, lengths []time.Duration, all []dora.ScopeTotals) (windows []dora.ScopeTotals) {
	isPlaced := func(l dora.Labels) bool {
		return slices.ContainsFunc(placed, func(p dora.Labels) bool {
			return l.Environment == p.Environment && (l.Project == p.Project || l.Team == p.Team)
		})
	}
	exists := false
	for _, w := range all {
		switch {
		case w.Scope == dora.ScopeAll || isPlaced(w.Labels):
			windows = append(windows, w)
		case w.Scope == dora.ScopeProject:
			exists = true
		}
	}
	if !exists {
		return windows
	}
	to := doraNow.Add(time.Millisecond)
	for _, length := range lengths {
		others := func(project, _, environment string) bool {
			return !isPlaced(dora.Labels{Project: project, Environment: environment})
		}
		windows = append(windows, dora.ScopeTotals{
			Scope: dora.ScopeOverflow, Totals: bruteFigures(h, h, others, to.Add(-length), to, time.UTC, dora.FromIncident),
		})
	}
	return windows
}
