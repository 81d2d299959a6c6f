package dora

import "time"

// Level is the performance level of a figure among those who answered DORA's
// survey. It is empty where there is none: nothing was measured, or the report
// has no bands for the figure.
type Level string

// The levels that DORA names.
const (
	Elite  Level = "elite"
	High   Level = "high"
	Medium Level = "medium"
	Low    Level = "low"
)

// Bands are the bands of performance levels that one of DORA's reports
// published.
//
// The reports give ranges with gaps between them, and sometimes the same range
// for two levels. Here a gap belongs to the worse of its neighbors, and where
// two levels share a range the better one is given.
type Bands struct {
	// Year of the report, and its name and address.
	Year   int
	Report string
	Source string

	keys []key
}

// key is one of the four keys of a report.
type key struct {
	name  Name
	level func(Value) Level
}

// BandsOf returns the bands of the report of a year, and false if there are
// none.
func BandsOf(year int) (Bands, bool) {
	switch year {
	case 2021:
		return Bands{
			Year:   2021,
			Report: "Accelerate State of DevOps 2021",
			Source: "https://dora.dev/research/2021/dora-report/",
			keys: []key{
				// On demand (several a day); between once a day and once a month;
				// between once a month and once in six months; fewer.
				{DeploymentFrequency, frequencyLevel(day, month, 6*month)},
				// Less than an hour; to a week; to six months; more.
				{ChangeLeadTime, medianLevel(time.Hour, week, 6*month)},
				// To 15%; 16% to 30% for high, medium and low alike.
				{ChangeFailureRate, ratioLevel(0.15, 0.30, 0.30)},
				// After any incident. Less than an hour; less than a day; to a
				// week; more.
				{TimeToRestore, medianLevel(time.Hour, day, week)},
			},
		}, true
	case 2023:
		return Bands{
			Year:   2023,
			Report: "Accelerate State of DevOps 2023",
			Source: "https://dora.dev/research/2023/dora-report/",
			keys: []key{
				// On demand; between once a day and once a week; between once a
				// week and once a month, for medium and low alike.
				{DeploymentFrequency, frequencyLevel(day, week, month)},
				// Less than a day; to a week; to a month, for medium and low alike.
				{ChangeLeadTime, medianLevel(day, week, month)},
				// 5%, 10%, 15%, 64%: the middle of each group.
				{ChangeFailureRate, ratioLevel(0.05, 0.10, 0.15)},
				// From a failed deployment. Less than an hour; less than a day; to
				// a week; to six months.
				{FailedDeploymentRecoveryTime, medianLevel(time.Hour, day, week)},
			},
		}, true
	}
	return Bands{}, false
}

// Keys returns the four keys as the report asked for them, and rework.
func (b Bands) Keys() []Figure {
	var figures []Figure
	for _, k := range b.keys {
		f, _ := Find(k.name)
		figures = append(figures, f)
	}
	rework, _ := Find(DeploymentReworkRate)
	return append(figures, rework)
}

// Level returns the level of a figure by its value in a window.
func (b Bands) Level(name Name, v Value) Level {
	for _, k := range b.keys {
		if k.name == name {
			return k.level(v)
		}
	}
	return ""
}

// frequencyLevel is elite for more than one in the first period, and high and
// medium for at least one in the second and third. No deployment at all has no
// level: a short window cannot tell rare from never.
func frequencyLevel(elite, high, medium time.Duration) func(Value) Level {
	rate := func(period time.Duration) float64 { return float64(day) / float64(period) }
	return func(v Value) Level {
		if v.Count == 0 {
			return ""
		}
		return best(v.PerDay() > rate(elite), v.PerDay() >= rate(high), v.PerDay() >= rate(medium))
	}
}

// medianLevel is elite for less than the first duration, and high and medium
// for at most the second and third.
func medianLevel(elite, high, medium time.Duration) func(Value) Level {
	return func(v Value) Level {
		if v.Samples == 0 {
			return ""
		}
		return best(v.P50 < elite, v.P50 <= high, v.P50 <= medium)
	}
}

// ratioLevel is elite, high and medium for at most these ratios.
func ratioLevel(elite, high, medium float64) func(Value) Level {
	return func(v Value) Level {
		r, ok := v.Ratio()
		if !ok {
			return ""
		}
		return best(r <= elite, r <= high, r <= medium)
	}
}

func best(elite, high, medium bool) Level {
	switch {
	case elite:
		return Elite
	case high:
		return High
	case medium:
		return Medium
	}
	return Low
}
