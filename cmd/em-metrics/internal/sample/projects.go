package sample

import "time"

// project describes how a project of the sample delivers. Durations are
// medians.
type project struct {
	id       string
	team     string
	users    []string
	zone     *time.Location
	runs     func(r random, day time.Time) int // number of pipeline runs on a workday
	staging  bool                              // runs deploy to staging first
	lead     time.Duration
	duration time.Duration
	failures float64 // share of the production deployments that fail
	restore  time.Duration
}

// projects returns five projects of three teams.
func projects() []project {
	berlin, boston := time.FixedZone("", 3600), time.FixedZone("", -5*3600)
	often := func(perDay float64) func(random, time.Time) int {
		return func(r random, _ time.Time) int { return r.poisson(perDay) }
	}
	return []project{
		{
			id: "storefront", team: "web", users: []string{"ada", "lin"}, zone: berlin, runs: often(2.8),
			lead: 5 * time.Hour, duration: 6 * time.Minute, failures: 0.05, restore: 35 * time.Minute,
		},
		{
			id: "checkout", team: "payments", users: []string{"noor", "tom"}, zone: berlin, runs: often(0.6), staging: true,
			lead: 30 * time.Hour, duration: 11 * time.Minute, failures: 0.12, restore: 2 * time.Hour,
		},
		{
			id: "billing", team: "payments", users: []string{"noor", "tom"}, zone: berlin, runs: everyWeeks(1, time.Tuesday),
			lead: 5 * 24 * time.Hour, duration: 25 * time.Minute, failures: 0.15, restore: 6 * time.Hour,
		},
		{
			id: "search", team: "platform", users: []string{"eva", "raj"}, zone: boston, runs: often(0.4),
			lead: 40 * time.Hour, duration: 14 * time.Minute, failures: 0.1, restore: 3 * time.Hour,
		},
		{
			id: "mobile-app", team: "web", users: []string{"lin"}, zone: berlin, runs: everyWeeks(2, time.Wednesday),
			lead: 12 * 24 * time.Hour, duration: 45 * time.Minute, failures: 0.15, restore: 40 * time.Hour,
		},
	}
}

func everyWeeks(weeks int, weekday time.Weekday) func(random, time.Time) int {
	return func(_ random, day time.Time) int {
		if _, week := day.ISOWeek(); day.Weekday() == weekday && week%weeks == 0 {
			return 1
		}
		return 0
	}
}
