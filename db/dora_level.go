package db

import "time"

// Level is where a figure stands among those who answered DORA's survey. Empty
// means that there is none: nothing was measured, or DORA has published no
// band for the figure in that year.
type Level string

// The levels that DORA names.
const (
	Elite  Level = "elite"
	High   Level = "high"
	Medium Level = "medium"
	Low    Level = "low"
)

// Bands is the table of levels that one of DORA's reports published.
//
// The reports give ranges with gaps between them, and sometimes the same range
// for two levels. Here a gap belongs to the worse of its neighbours, and where
// two levels share a range the better one is given.
type Bands struct {
	// Year of the report, and its name and address.
	Year   int
	Report string
	Source string

	perDay   [3]float64       // above this is elite, at least this is high, medium
	leadTime [3]time.Duration // below this is elite, at most this is high, medium
	failures [3]float64       // at most this is elite, high, medium
	recovery [3]time.Duration // as leadTime
	// The report of 2021 asked for the time to restore service after any
	// incident, the one of 2023 for the recovery from a failed deployment.
	recoveryOfAny bool
}

const (
	day   = 24 * time.Hour
	week  = 7 * day
	month = 365 * day / 12
)

// BandsOf returns the bands of the report of a year; ok is false when there
// are none.
func BandsOf(year int) (bands Bands, ok bool) {
	switch year {
	case 2021:
		return Bands{
			Year:   2021,
			Report: "Accelerate State of DevOps 2021",
			Source: "https://dora.dev/research/2021/dora-report/",
			// On demand (several a day); between once a day and once a month;
			// between once a month and once in six months; fewer.
			perDay: [3]float64{1, perDay(month), perDay(6 * month)},
			// Less than an hour; to a week; to six months; more.
			leadTime: [3]time.Duration{time.Hour, week, 6 * month},
			// To 15 %; 16 to 30 % for high, medium and low alike.
			failures: [3]float64{0.15, 0.30, 0.30},
			// Less than an hour; less than a day; to a week; more.
			recovery:      [3]time.Duration{time.Hour, day, week},
			recoveryOfAny: true,
		}, true
	case 2023:
		return Bands{
			Year:   2023,
			Report: "Accelerate State of DevOps 2023",
			Source: "https://dora.dev/research/2023/dora-report/",
			// On demand; between once a day and once a week; between once a
			// week and once a month, for medium and low alike.
			perDay: [3]float64{1, perDay(week), perDay(month)},
			// Less than a day; to a week; to a month, for medium and low alike.
			leadTime: [3]time.Duration{day, week, month},
			// 5 %, 10 %, 15 %, 64 %: the middle of each group.
			failures: [3]float64{0.05, 0.10, 0.15},
			// Less than an hour; less than a day; to a week; to six months.
			recovery: [3]time.Duration{time.Hour, day, week},
		}, true
	}
	return Bands{}, false
}

func perDay(every time.Duration) float64 { return float64(day) / float64(every) }

// Levels are the levels of a [Dora], by the median of what is a duration.
type Levels struct {
	DeploymentFrequency      Level
	LeadTime                 Level
	ChangeFailureRatio       Level
	FailedDeploymentRecovery Level
	TimeToRestore            Level
}

// Levels finds the levels of the figures. No deployment at all has no level
// of frequency: a short window cannot tell rare from never.
func (b Bands) Levels(d Dora) Levels {
	levels := Levels{LeadTime: ofDuration(b.leadTime, d.LeadTime.P50)}
	if d.Deployments > 0 {
		levels.DeploymentFrequency = pick(func(i int) bool { return d.PerDay > b.perDay[i] || i > 0 && d.PerDay == b.perDay[i] })
	}
	if d.ChangeFailureRatio.Valid {
		levels.ChangeFailureRatio = pick(func(i int) bool { return d.ChangeFailureRatio.V <= b.failures[i] })
	}
	if b.recoveryOfAny {
		levels.TimeToRestore = ofDuration(b.recovery, d.TimeToRestore.P50)
	} else {
		levels.FailedDeploymentRecovery = ofDuration(b.recovery, d.FailedDeploymentRecovery.P50)
	}
	return levels
}

// ofDuration finds the level of a duration. The bound of elite is "less than"
// in every report.
func ofDuration(bounds [3]time.Duration, d NullDuration) Level {
	if !d.Valid {
		return ""
	}
	return pick(func(i int) bool { return d.V < bounds[i] || i > 0 && d.V == bounds[i] })
}

// pick returns the best level that is reached.
func pick(reached func(i int) bool) Level {
	for i, level := range []Level{Elite, High, Medium} {
		if reached(i) {
			return level
		}
	}
	return Low
}
