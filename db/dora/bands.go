package dora

import "time"

// Level is the performance level of a figure among those who answered DORA's
// survey, or the answer of the survey that it amounts to. It is empty where there
// is none: nothing was measured, or there are no bands for the figure.
type Level string

// The levels that DORA names.
const (
	Elite  Level = "elite"
	High   Level = "high"
	Medium Level = "medium"
	Low    Level = "low"
)

// Bands are the bands of performance levels that one of DORA's reports
// published, or the answers of its survey.
//
// The reports give ranges with gaps between them, and sometimes the same range
// for two levels. Here a gap belongs to the worse of its neighbors, and where
// two levels share a range the better one is given.
type Bands struct {
	// Name is "2021", "2023" or "answers".
	Name string
	// Year of the report, 0 for the answers, and its name and address.
	Year   int
	Report string
	Source string

	keys []key
}

// key is one of the four keys of a report, with its levels from the best to the
// worst. It has none if level is nil.
type key struct {
	name  Name
	scale []Level
	level func(Value) int // the index of the level, -1 if there is none
}

// BandsNames are the names of all bands, the default first.
func BandsNames() []string { return []string{"2023", "2021", "answers"} }

// BandsOf returns the bands of that name, and false if there are none.
//
// The report of 2024 has a table too, but no levels follow from it: its change
// fail rates are not in order (20% is high and 10% is medium), and high and
// medium share one range of recovery times. Since 2025 the reports have team
// profiles instead.
func BandsOf(name string) (Bands, bool) {
	levels := []Level{Elite, High, Medium, Low}
	switch name {
	case "2021":
		return Bands{
			Name: name, Year: 2021,
			Report: "Accelerate State of DevOps 2021",
			Source: "https://dora.dev/research/2021/dora-report/",
			keys: []key{
				// On demand (several a day); between once a day and once a month;
				// between once a month and once in six months; fewer.
				{DeploymentFrequency, levels, every(day/2, month, 6*month)},
				// Less than an hour; to a week; to six months; more.
				{ChangeLeadTime, levels, within(lessThan(time.Hour), week, 6*month)},
				// To 15%; 16% to 30% for high, medium and low alike.
				{ChangeFailureRate, levels, upTo(0.15, 0.30, 0.30)},
				// After any incident. Less than an hour; less than a day; to a
				// week; more.
				{TimeToRestore, levels, within(lessThan(time.Hour), lessThan(day), week)},
			},
		}, true
	case "2023":
		return Bands{
			Name: name, Year: 2023,
			Report: "Accelerate State of DevOps 2023",
			Source: "https://dora.dev/research/2023/dora-report/",
			keys: []key{
				// On demand; between once a day and once a week; between once a
				// week and once a month, for medium and low alike.
				{DeploymentFrequency, levels, every(day/2, week, month)},
				// Less than a day; to a week; to a month, for medium and low alike.
				{ChangeLeadTime, levels, within(lessThan(day), week, month)},
				// 5%, 10%, 15%, 64%: the middle of each group.
				{ChangeFailureRate, levels, upTo(0.05, 0.10, 0.15)},
				// From a failed deployment. Less than an hour; less than a day; to
				// a week; to six months.
				{FailedDeploymentRecoveryTime, levels, within(lessThan(time.Hour), lessThan(day), week)},
			},
		}, true
	case "answers":
		return answers(), true
	}
	return Bands{}, false
}

// answers returns the answers of DORA's survey, which have been the same since
// 2018. They have no gaps. That of the change fail rate has been a free number
// since 2023.
func answers() Bands {
	durations := []Level{
		"less than one hour", "less than one day", "one day to one week", "one week to one month",
		"one to six months", "more than six months",
	}
	lasting := within(lessThan(time.Hour), lessThan(day), week, month, 6*month)
	return Bands{
		Name: "answers", Report: "DORA's survey, 2018 to 2025", Source: "https://dora.dev/quickcheck/",
		keys: []key{
			{DeploymentFrequency, []Level{
				"on demand (multiple deploys per day)", "between once per hour and once per day",
				"between once per day and once per week", "between once per week and once per month",
				"between once per month and once every six months", "fewer than once per six months",
			}, every(day/2, day, week, month, 6*month)},
			{ChangeLeadTime, durations, lasting},
			{name: ChangeFailureRate},
			{FailedDeploymentRecoveryTime, durations, lasting},
		},
	}
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

// Level returns the level of a figure by its value for one application.
func (b Bands) Level(name Name, v Value) Level {
	k := b.key(name)
	if k.level == nil {
		return ""
	}
	if i := k.level(v); i >= 0 {
		return k.scale[i]
	}
	return ""
}

// key returns the key of that name, one without levels if there is none.
func (b Bands) key(name Name) key {
	for _, k := range b.keys {
		if k.name == name {
			return k
		}
	}
	return key{}
}

// every returns the index of the first period in which there is at least one on
// average, and the number of periods if there is none. Without any deployment
// there is no level: a short window cannot tell rare from never.
func every(periods ...time.Duration) func(Value) int {
	return func(v Value) int {
		if v.Count == 0 {
			return -1
		}
		for i, period := range periods {
			if v.PerDay() >= float64(day)/float64(period) {
				return i
			}
		}
		return len(periods)
	}
}

// within returns the index of the first limit that is at least the median.
func within(limits ...time.Duration) func(Value) int {
	return func(v Value) int {
		if v.Samples == 0 {
			return -1
		}
		for i, limit := range limits {
			if v.P50 <= limit {
				return i
			}
		}
		return len(limits)
	}
}

// lessThan returns the longest duration that is shorter.
func lessThan(d time.Duration) time.Duration { return d - 1 }

// upTo returns the index of the first limit that is at least the ratio. A ratio that
// is zero only because no incident is linked to a deployment has no level.
func upTo(limits ...float64) func(Value) int {
	return func(v Value) int {
		ratio, ok := v.Ratio()
		if !ok || v.NoneLinked {
			return -1
		}
		for i, limit := range limits {
			if ratio <= limit {
				return i
			}
		}
		return len(limits)
	}
}
