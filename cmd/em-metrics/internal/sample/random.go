package sample

import (
	"math"
	"math/rand/v2"
	"time"
)

// random is a deterministic source of random values.
type random struct{ *rand.Rand }

// random returns the source for one day of a project.
func (y *year) random(project uint64, day time.Time) random {
	days := uint64(day.Unix()) / (24 * 60 * 60)                    //nolint:gosec // no year before 1970
	return random{rand.New(rand.NewPCG(y.seed, project<<32|days))} //nolint:gosec // not a secret
}

// split returns a source for one event, which does not depend on how often r is
// used afterwards.
func (r random) split() random {
	return random{rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))} //nolint:gosec // not a secret
}

// user picks a user of the project.
func (r random) user(p project) string { return p.users[r.IntN(len(p.users))] }

// firstCommit returns the time of a run's first commit, during working hours.
// The lead time of a project rises and falls over nine months.
func (r random) firstCommit(p project, start time.Time) time.Time {
	season := 1 + 0.4*math.Sin(float64(start.Unix())/float64(9*30*24*60*60)*2*math.Pi)
	commit := start.Add(-r.logNormal(time.Duration(float64(p.lead)*season), 0.8))
	for weekend(commit) {
		commit = commit.AddDate(0, 0, -1)
	}
	if hour := commit.Hour(); hour < 8 || hour >= 19 {
		commit = r.workTime(midnight(commit))
	}
	if latest := start.Add(-15 * time.Minute); commit.After(latest) {
		return latest
	}
	return commit
}

// workTime returns a time within the working hours of the day.
func (r random) workTime(day time.Time) time.Time {
	return day.Add(9*time.Hour + r.upTo(8*time.Hour))
}

// upTo draws from a uniform distribution between zero and longest.
func (r random) upTo(longest time.Duration) time.Duration {
	return time.Duration(r.Float64() * float64(longest)).Truncate(time.Second)
}

// logNormal draws from a log-normal distribution, which durations of work mostly
// follow.
func (r random) logNormal(median time.Duration, spread float64) time.Duration {
	return time.Duration(math.Exp(r.NormFloat64()*spread) * float64(median)).Truncate(time.Second)
}

// poisson draws the number of occurrences of something that happens mean times
// on average.
func (r random) poisson(mean float64) (n int) {
	for left := r.ExpFloat64(); left < mean; left += r.ExpFloat64() {
		n++
	}
	return n
}
