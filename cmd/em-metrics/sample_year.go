package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// sampleProject is how a project of the sample delivers. Durations are medians.
type sampleProject struct {
	id       string
	users    []string
	zone     *time.Location
	due      func(y *sampleYear, day time.Time) int // how many deployments on a workday
	staging  bool                                   // whether runs go to staging first
	lead     time.Duration
	duration time.Duration
	failing  float64 // share of the deployments to production that fail
	restore  time.Duration
}

// sampleProjects returns five projects. The teams are those of their users:
// ada and lin (web), noor and tom (payments), eva and raj (platform).
func sampleProjects() []sampleProject {
	berlin, boston := time.FixedZone("", 3600), time.FixedZone("", -5*3600)
	often := func(perDay float64) func(*sampleYear, time.Time) int {
		return func(y *sampleYear, _ time.Time) int { return y.poisson(perDay) }
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

func everyWeeks(weeks int, weekday time.Weekday) func(*sampleYear, time.Time) int {
	return func(_ *sampleYear, day time.Time) int {
		if _, week := day.ISOWeek(); day.Weekday() == weekday && week%weeks == 0 {
			return 1
		}
		return 0
	}
}

// sampleYear makes up the year that lasts from begin to end.
type sampleYear struct {
	*rand.Rand
	begin, end  time.Time
	deployments []*sampleEvent
	incidents   []*sampleEvent
}

// sampleEvent is a line in the making: its id is known when all are there.
type sampleEvent struct {
	sampleLine
	project sampleProject
	cause   *sampleEvent // the same run in staging, or the deployment that failed
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
	y := &sampleYear{Rand: rand.New(rand.NewPCG(seed, seed)), begin: end.AddDate(-1, 0, 0), end: end} //nolint:gosec // no secret
	for _, p := range sampleProjects() {
		from := len(y.deployments)
		y.deploy(p)
		y.fail(p, y.deployments[from:])
		y.suffer(p)
	}
	y.resolve()
	y.repair()
	y.name()
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

// deploy lets a project deploy on workdays outside the freeze.
func (y *sampleYear) deploy(p sampleProject) {
	year, month, date := y.begin.In(p.zone).Date()
	for day := time.Date(year, month, date, 0, 0, 0, 0, p.zone); day.Before(y.end); day = day.AddDate(0, 0, 1) {
		if weekend(day) || frozen(day) {
			continue
		}
		for range p.due(y, day) {
			environment := "production"
			if p.staging {
				environment = "staging"
			}
			run := y.run(p, environment, y.workTime(day), nil)
			// Two of three runs are good enough to go on, the same day or the next.
			if next := day.AddDate(0, 0, y.IntN(2)); p.staging && y.Float64() < 0.65 && !weekend(next) && !frozen(next) {
				if start := y.workTime(next); run != nil && start.After(run.DeployedAt) {
					y.run(p, "production", start, run)
				}
			}
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

// run records one deployment, or none when it would not fit into the year. What is
// deployed a second time has the commits of the first.
func (y *sampleYear) run(p sampleProject, environment string, start time.Time, cause *sampleEvent) *sampleEvent {
	d := &sampleEvent{project: p, cause: cause, sampleLine: sampleLine{
		Kind: "deployment", ProjectID: p.id, Environment: environment, DeployStartAt: start,
		DeployedAt: start.Add(y.around(p.duration, 0.35)), User: p.users[y.IntN(len(p.users))],
	}}
	if cause != nil {
		d.FirstCommitAt, d.User = cause.FirstCommitAt, cause.User
	} else {
		d.FirstCommitAt = y.firstCommit(p, start)
	}
	if start.Before(y.begin) || d.DeployedAt.After(y.end) {
		return nil
	}
	y.deployments = append(y.deployments, d)
	return d
}

// firstCommit is made in working hours, and the sooner before the deployment
// the later in the year it is: the teams get better.
func (y *sampleYear) firstCommit(p sampleProject, start time.Time) time.Time {
	passed := float64(start.Sub(y.begin)) / float64(y.end.Sub(y.begin))
	median := time.Duration(float64(p.lead) * (1.5 - 0.9*passed))
	commit := start.Add(-y.around(median, 0.8))
	for weekend(commit) {
		commit = commit.AddDate(0, 0, -1)
	}
	if hour := commit.Hour(); hour < 8 || hour >= 19 {
		commit = y.workTime(time.Date(commit.Year(), commit.Month(), commit.Day(), 0, 0, 0, 0, p.zone))
	}
	if latest := start.Add(-15 * time.Minute); commit.After(latest) {
		return latest
	}
	return commit
}

// fail lets the project's share of the deployments to production fail, soon
// after they were deployed.
func (y *sampleYear) fail(p sampleProject, deployments []*sampleEvent) {
	next := func() float64 { return (0.7 + 0.6*y.Float64()) / p.failing }
	good := next() // so many more deployments go well
	for _, d := range deployments {
		if d.Environment != "production" {
			continue
		}
		if good--; good < 0 {
			y.open(p, d.DeployedAt.Add(y.around(25*time.Minute, 1.2)), d)
			good += next()
		}
	}
}

// suffer lets a project have a few incidents that no deployment caused.
func (y *sampleYear) suffer(p sampleProject) {
	for range 1 + y.IntN(3) {
		y.open(p, y.begin.Add(y.upTo(y.end.Sub(y.begin))).In(p.zone), nil)
	}
}

func (y *sampleYear) open(p sampleProject, at time.Time, cause *sampleEvent) {
	at = at.Truncate(time.Second)
	if at.Before(y.end) {
		y.incidents = append(y.incidents, &sampleEvent{project: p, cause: cause, sampleLine: sampleLine{
			Kind: "incident", ProjectID: p.id, Environment: "production", StartedAt: at, User: p.users[y.IntN(len(p.users))],
		}})
	}
}

// resolve restores all incidents but the newest two, and closes most of them.
func (y *sampleYear) resolve() {
	slices.SortStableFunc(y.incidents, byTime)
	for _, i := range y.incidents[:max(0, len(y.incidents)-2)] {
		left := y.end.Sub(i.StartedAt)
		took := min(y.around(i.project.restore, 1), left/2).Truncate(time.Second)
		i.RestoredAt = i.StartedAt.Add(took)
		if closed := i.RestoredAt.Add(y.around(20*time.Hour, 0.8)); closed.Before(y.end) && y.Float64() < 0.8 {
			i.FinishedAt = closed
		}
	}
}

// repair records the rework of the incidents that a deployment put right, if
// there was the time for one. The others went away by rolling back.
func (y *sampleYear) repair() {
	for _, i := range y.incidents {
		start := i.RestoredAt.Add(-2 * i.project.duration)
		if i.cause == nil || i.RestoredAt.IsZero() || start.Sub(i.StartedAt) < 10*time.Minute || y.Float64() < 0.3 {
			continue
		}
		repair := y.run(i.project, "production", start, nil)
		if repair == nil {
			continue
		}
		repair.Rework, repair.User = true, i.User
		repair.FirstCommitAt = i.StartedAt.Add(y.upTo(start.Sub(i.StartedAt)))
	}
}

// name gives runs their numbers and incidents their names, by time.
func (y *sampleYear) name() {
	slices.SortStableFunc(y.deployments, byTime)
	runs := map[string]int{}
	for _, d := range y.deployments {
		if d.cause != nil {
			d.ID = d.cause.ID
			continue
		}
		runs[d.ProjectID]++
		d.ID = strconv.Itoa(1000 + runs[d.ProjectID])
	}
	for n, i := range y.incidents {
		i.ID = fmt.Sprintf("INC-%d", 101+n)
		if i.cause != nil {
			i.DeploymentID = i.cause.ID
		}
	}
}

// workTime is some time of the day at which people work.
func (y *sampleYear) workTime(day time.Time) time.Time {
	return day.Add(9*time.Hour + y.upTo(8*time.Hour))
}

func (y *sampleYear) upTo(d time.Duration) time.Duration {
	return time.Duration(y.Float64() * float64(d)).Truncate(time.Second)
}

// around draws from a log-normal distribution, as durations of work mostly are.
func (y *sampleYear) around(median time.Duration, spread float64) time.Duration {
	return time.Duration(math.Exp(y.NormFloat64()*spread) * float64(median)).Truncate(time.Second)
}

// poisson draws how many of something that is so often on average happen.
func (y *sampleYear) poisson(mean float64) (n int) {
	for left := y.ExpFloat64(); left < mean; left += y.ExpFloat64() {
		n++
	}
	return n
}
