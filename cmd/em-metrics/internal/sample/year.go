package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// sampleProject is how a project of the sample delivers. Durations are medians.
type sampleProject struct {
	id       string
	users    []string
	zone     *time.Location
	due      func(d dice, day time.Time) int // how many deployments on a workday
	staging  bool                            // whether runs go to staging first
	lead     time.Duration
	duration time.Duration
	failing  float64 // share of the deployments to production that fail
	restore  time.Duration
}

// sampleProjects returns five projects. The teams are those of their users:
// ada and lin (web), noor and tom (payments), eva and raj (platform).
func sampleProjects() []sampleProject {
	berlin, boston := time.FixedZone("", 3600), time.FixedZone("", -5*3600)
	often := func(perDay float64) func(dice, time.Time) int {
		return func(d dice, _ time.Time) int { return d.poisson(perDay) }
	}
	return []sampleProject{
		{
			id: "storefront", users: []string{"ada", "lin"}, zone: berlin, due: often(2.8),
			lead: 5 * time.Hour, duration: 6 * time.Minute, failing: 0.05, restore: 35 * time.Minute,
		},
		{
			id: "checkout", users: []string{"noor", "tom"}, zone: berlin, due: often(0.6), staging: true,
			lead: 30 * time.Hour, duration: 11 * time.Minute, failing: 0.12, restore: 2 * time.Hour,
		},
		{
			id: "billing", users: []string{"noor", "tom"}, zone: berlin, due: everyWeeks(1, time.Tuesday),
			lead: 5 * 24 * time.Hour, duration: 25 * time.Minute, failing: 0.15, restore: 6 * time.Hour,
		},
		{
			id: "search", users: []string{"eva", "raj"}, zone: boston, due: often(0.4),
			lead: 40 * time.Hour, duration: 14 * time.Minute, failing: 0.1, restore: 3 * time.Hour,
		},
		{
			id: "mobile-app", users: []string{"lin"}, zone: berlin, due: everyWeeks(2, time.Wednesday),
			lead: 12 * 24 * time.Hour, duration: 45 * time.Minute, failing: 0.15, restore: 40 * time.Hour,
		},
	}
}

func everyWeeks(weeks int, weekday time.Weekday) func(dice, time.Time) int {
	return func(_ dice, day time.Time) int {
		if _, week := day.ISOWeek(); day.Weekday() == weekday && week%weeks == 0 {
			return 1
		}
		return 0
	}
}

// sampleYear makes up the year that lasts from begin to end. Each day of a
// project is drawn by itself, so years that overlap agree: to send the sample
// again on another day adds what is new and contradicts nothing.
type sampleYear struct {
	seed        uint64
	begin, end  time.Time
	deployments []*sampleEvent
	incidents   []*sampleEvent
}

// sampleEvent is a line in the making.
type sampleEvent struct {
	sampleLine
	project sampleProject
	cause   *sampleEvent // the deployment that failed
	dice    dice
}

func (e *sampleEvent) at() time.Time {
	if e.Kind == "incident" {
		return e.StartedAt
	}
	return e.DeployedAt
}

func byTime(a, b *sampleEvent) int { return a.at().Compare(b.at()) }

func newSampleYear(end time.Time, seed uint64) *sampleYear {
	end = end.UTC().Truncate(time.Second)
	y := &sampleYear{seed: seed, begin: end.AddDate(-1, 0, 0), end: end}
	for number, p := range sampleProjects() {
		year, month, date := y.begin.In(p.zone).Date()
		for day := time.Date(year, month, date, 0, 0, 0, 0, p.zone); day.Before(y.end); day = day.AddDate(0, 0, 1) {
			y.live(p, day, y.dice(uint64(number), day))
		}
	}
	y.resolve()
	return y
}

// lines returns everything in the order in which it happened.
func (y *sampleYear) lines() []sampleLine {
	all := slices.Concat(y.deployments, y.incidents)
	slices.SortStableFunc(all, byTime)
	lines := make([]sampleLine, len(all))
	for i, e := range all {
		lines[i] = e.sampleLine
	}
	return lines
}

// live is one day of a project: its deployments, and now and then an incident
// that no deployment caused.
func (y *sampleYear) live(p sampleProject, day time.Time, d dice) {
	date := day.Format("20060102")
	if d.Float64() < 2./365 {
		y.open(p, day.Add(d.upTo(24*time.Hour)), "INC-"+date, nil, d.fork())
	}
	if weekend(day) || frozen(day) {
		return
	}
	starts := make([]time.Time, p.due(d, day))
	for i := range starts {
		starts[i] = d.workTime(day)
	}
	slices.SortFunc(starts, time.Time.Compare)
	for i, start := range starts {
		y.deliver(p, fmt.Sprintf("%s.%d", date, i+1), start, d.fork())
	}
}

// deliver takes a run to production, through staging if the project has it.
func (y *sampleYear) deliver(p sampleProject, id string, start time.Time, d dice) {
	run := sampleLine{
		Kind: "deployment", ProjectID: p.id, Environment: "production", ID: id,
		FirstCommitAt: d.firstCommit(p, start), User: d.user(p),
	}
	fails, toProduction, later := d.Float64() < p.failing, d.Float64() < 0.65, d.upTo(4*time.Hour)
	if p.staging {
		staged := run
		staged.Environment = "staging"
		y.deploy(p, staged, start, d.fork())
		// Two of three are good enough to go on, if the day is long enough.
		start = start.Add(30*time.Minute + later)
		if !toProduction || start.Hour() >= 18 {
			return
		}
	}
	deployed := y.deploy(p, run, start, d.fork())
	if fails && deployed != nil {
		y.open(p, deployed.DeployedAt.Add(d.around(25*time.Minute, 1.2)), "INC-"+id, deployed, d.fork())
	}
}

// deploy records a deployment, or none when it does not fit into the year.
func (y *sampleYear) deploy(p sampleProject, line sampleLine, start time.Time, d dice) *sampleEvent {
	line.DeployStartAt, line.DeployedAt = start, start.Add(d.around(p.duration, 0.35))
	if start.Before(y.begin) || line.DeployedAt.After(y.end) {
		return nil
	}
	e := &sampleEvent{sampleLine: line, project: p}
	y.deployments = append(y.deployments, e)
	return e
}

func (y *sampleYear) open(p sampleProject, at time.Time, id string, cause *sampleEvent, d dice) {
	if at.Before(y.begin) || at.After(y.end) {
		return
	}
	i := &sampleEvent{project: p, cause: cause, dice: d, sampleLine: sampleLine{
		Kind: "incident", ProjectID: p.id, Environment: "production", ID: id, StartedAt: at, User: d.user(p),
	}}
	if cause != nil {
		i.DeploymentID = cause.ID
	}
	y.incidents = append(y.incidents, i)
}

// resolve restores and closes the incidents, as far as that is past, and
// leaves the newest open. Where there was the time for it, another deployment
// put things right; elsewhere it was a rollback.
func (y *sampleYear) resolve() {
	slices.SortStableFunc(y.incidents, byTime)
	for n, i := range y.incidents {
		d := i.dice
		restored := i.StartedAt.Add(d.around(i.project.restore, 0.9))
		finished := restored.Add(d.around(20*time.Hour, 0.8))
		forgotten, rolledBack := d.Float64() < 0.2, d.Float64() < 0.3
		if n == len(y.incidents)-1 || restored.After(y.end) {
			continue
		}
		i.RestoredAt = restored
		if !forgotten && !finished.After(y.end) {
			i.FinishedAt = finished
		}
		start := restored.Add(-2 * i.project.duration)
		if i.cause != nil && !rolledBack && start.Sub(i.StartedAt) > 10*time.Minute {
			repair := i.cause.sampleLine
			repair.ID, repair.User, repair.Rework = i.cause.ID+"-fix", i.User, true
			repair.FirstCommitAt = i.StartedAt.Add(d.upTo(start.Sub(i.StartedAt)))
			y.deploy(i.project, repair, start, d.fork())
		}
	}
}

// frozen tells the days around the turn of the year on which nobody deploys.
func frozen(day time.Time) bool {
	_, month, date := day.Date()
	return month == time.December && date >= 19 || month == time.January && date <= 4
}

func weekend(day time.Time) bool {
	return day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
}

// dice draw what happens.
type dice struct{ *rand.Rand }

func (y *sampleYear) dice(project uint64, day time.Time) dice {
	days := uint64(day.Unix()) / (24 * 60 * 60)                  //nolint:gosec // nobody asks for a year before 1970
	return dice{rand.New(rand.NewPCG(y.seed, project<<32|days))} //nolint:gosec // no secret
}

// fork returns dice of their own for a thing, so that it stays the same
// whatever else is drawn.
func (d dice) fork() dice {
	return dice{rand.New(rand.NewPCG(d.Uint64(), d.Uint64()))} //nolint:gosec // no secret
}

func (d dice) user(p sampleProject) string { return p.users[d.IntN(len(p.users))] }

// firstCommit is made in working hours. Teams have better and worse times: how
// long a change waits goes up and down within nine months.
func (d dice) firstCommit(p sampleProject, start time.Time) time.Time {
	season := 1 + 0.4*math.Sin(float64(start.Unix())/float64(9*30*24*60*60)*2*math.Pi)
	commit := start.Add(-d.around(time.Duration(float64(p.lead)*season), 0.8))
	for weekend(commit) {
		commit = commit.AddDate(0, 0, -1)
	}
	if hour := commit.Hour(); hour < 8 || hour >= 19 {
		commit = d.workTime(time.Date(commit.Year(), commit.Month(), commit.Day(), 0, 0, 0, 0, p.zone))
	}
	if latest := start.Add(-15 * time.Minute); commit.After(latest) {
		return latest
	}
	return commit
}

// workTime is some time of the day at which people work.
func (d dice) workTime(day time.Time) time.Time {
	return day.Add(9*time.Hour + d.upTo(8*time.Hour))
}

func (d dice) upTo(longest time.Duration) time.Duration {
	return time.Duration(d.Float64() * float64(longest)).Truncate(time.Second)
}

// around draws from a log-normal distribution, as durations of work mostly are.
func (d dice) around(median time.Duration, spread float64) time.Duration {
	return time.Duration(math.Exp(d.NormFloat64()*spread) * float64(median)).Truncate(time.Second)
}

// poisson draws how many of something that is so often on average happen.
func (d dice) poisson(mean float64) (n int) {
	for left := d.ExpFloat64(); left < mean; left += d.ExpFloat64() {
		n++
	}
	return n
}
