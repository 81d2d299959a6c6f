package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// figure is one metric of a window, ready to be shown.
type figure struct {
	Value  string   // with its unit, such as "3 a day"
	Level  db.Level // empty if there is none
	Detail string   // the counts behind the value
	// Number is the value to plot and to compare. It is nil if it is undefined.
	Number *float64
}

// noData is shown for an undefined value.
const noData = "no data"

// newFigure returns the figure of a metric, given all figures of a window.
func newFigure(d db.Dora, m db.Metric, b db.Bands, window time.Duration) figure {
	levels := b.Levels(d)
	switch m {
	case db.DeploymentFrequency:
		return frequency(d, levels.DeploymentFrequency, window)
	case db.ChangeLeadTime:
		return duration(d.LeadTime, levels.LeadTime, "deployment")
	case db.ChangeFailureRate:
		f := ratio(d.ChangeFailureRatio.V, d.ChangeFailureRatio.Valid, levels.ChangeFailureRatio)
		f.Detail = fmt.Sprintf("%d of %s", d.FailedDeployments, plural(d.Deployments, "deployment"))
		return f
	case db.FailedDeploymentRecoveryTime:
		return duration(d.FailedDeploymentRecovery, levels.FailedDeploymentRecovery, "incident")
	case db.DeploymentReworkRate:
		f := ratio(d.ReworkRatio.V, d.ReworkRatio.Valid, "")
		f.Detail = fmt.Sprintf("%d of %s; DORA publishes no bands", d.ReworkDeployments, plural(d.Deployments, "deployment"))
		return f
	case db.DeploymentDuration:
		return duration(d.DeploymentDuration, "", "deployment")
	case db.TimeToRestore:
		return duration(d.TimeToRestore, levels.TimeToRestore, "incident")
	case db.TimeToDetect:
		return duration(d.TimeToDetect, "", "incident")
	case db.UnfinishedDeployments:
		return count(d.Unfinished)
	case db.Incidents:
		return count(d.Incidents)
	case db.OpenIncidents:
		return count(d.OpenIncidents)
	}
	return figure{Value: noData}
}

func frequency(d db.Dora, level db.Level, window time.Duration) figure {
	f := count(d.Deployments)
	f.Value, f.Level = formatRate(d.Deployments, window), level
	f.Detail = fmt.Sprintf("%s on %s", plural(d.Deployments, "deployment"), plural(d.DeploymentDays, "day"))
	return f
}

// duration returns the figure of a metric that is the duration of things, such as
// "incident".
func duration(d db.Distribution, level db.Level, thing string) figure {
	f := figure{Value: formatDuration(d.P50), Level: level, Detail: plural(d.Samples, thing)}
	if d.P50.Valid {
		seconds := d.P50.V.Seconds()
		f.Number = &seconds
	}
	if d.Samples > 0 {
		f.Detail = fmt.Sprintf("median of %s; 90%% within %s", f.Detail, formatDuration(d.P90))
	}
	return f
}

func ratio(n float64, valid bool, level db.Level) figure {
	if !valid {
		return figure{Value: noData}
	}
	return figure{Value: strconv.FormatFloat(n*100, 'f', 1, 64) + "%", Level: level, Number: &n}
}

func count(n int64) figure {
	number := float64(n)
	return figure{Value: strconv.FormatInt(n, 10), Number: &number}
}

// title returns the display name of a metric.
func title(m db.Metric) string {
	return map[db.Metric]string{
		db.DeploymentFrequency:          "Deployment frequency",
		db.ChangeLeadTime:               "Change lead time",
		db.ChangeFailureRate:            "Change failure rate",
		db.FailedDeploymentRecoveryTime: "Failed deployment recovery time",
		db.DeploymentReworkRate:         "Deployment rework rate",
		db.DeploymentDuration:           "Deployment duration",
		db.UnfinishedDeployments:        "Unfinished deployments",
		db.TimeToRestore:                "Time to restore",
		db.TimeToDetect:                 "Time to detect",
		db.Incidents:                    "Incidents",
		db.OpenIncidents:                "Open incidents",
	}[m]
}

// formatRate writes a rate per day or per the shortest longer period in which it
// is at least 1.
func formatRate(count int64, window time.Duration) string {
	perDay := float64(count) / (window.Hours() / 24)
	switch {
	case count == 0:
		return "none"
	case perDay >= 1:
		return formatNumber(perDay) + " a day"
	case perDay*7 >= 1:
		return formatNumber(perDay*7) + " a week"
	case perDay*365/12 >= 1:
		return formatNumber(perDay*365/12) + " a month"
	}
	return formatNumber(perDay*365) + " a year"
}

// formatDuration writes a duration in seconds, minutes, hours or days.
func formatDuration(d db.NullDuration) string {
	if !d.Valid {
		return noData
	}
	const minute, hour, day = 60, 3600, 86400
	switch s := d.V.Seconds(); {
	case s < minute:
		return formatNumber(s) + " s"
	case s < hour:
		return formatNumber(s/minute) + " min"
	case s < 2*day:
		return formatNumber(s/hour) + " h"
	default:
		return formatNumber(s/day) + " days"
	}
}

// formatNumber writes a number with at most three significant digits.
func formatNumber(n float64) string {
	precision := 2
	switch {
	case n >= 100:
		precision = 0
	case n >= 10:
		precision = 1
	}
	text := strconv.FormatFloat(n, 'f', precision, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatInt(n, 10) + " " + thing + "s"
}
