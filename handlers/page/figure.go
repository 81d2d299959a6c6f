package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// figure is a figure of a window, ready to be shown.
type figure struct {
	Value  string // with its unit, such as "3 a day"
	Detail string // the counts behind the value
	Note   string // what the value leaves out, if anything
	dora.Rating
	// Number is the value to compare. It is nil if it is undefined.
	Number *float64
}

// noData is shown for an undefined value.
const noData = "no data"

// newFigure returns a figure of the totals of a window without a rating.
func newFigure(f dora.Figure, t dora.Totals) figure {
	v := f.Value(t)
	shown := figure{Value: formatValue(f, v), Detail: formatDetail(f, v)}
	if each := t.CommitLeadTime; f.Name == dora.ChangeLeadTime && each.Samples > 0 {
		shown.Detail += fmt.Sprintf("; %s for each of %s", formatDuration(each.P50), plural(each.Samples, "commit"))
	}
	if v.NoneLinked && v.Whole > 0 {
		shown.Note = "no incident linked"
		shown.Detail += fmt.Sprintf("; %s, none linked to a deployment", plural(v.Unlinked, "incident"))
	}
	if n, ok := f.Number(v); ok {
		if f.Kind == dora.Frequency {
			n = v.PerDay() // the windows may differ in length
		}
		shown.Number = &n
	}
	return shown
}

// newRatedFigure returns a figure of a group with its rating.
func newRatedFigure(f dora.Figure, g dora.Group, b dora.Bands) figure {
	shown := newFigure(f, g.Totals)
	shown.Rating = b.Rate(f, g)
	return shown
}

// Full returns the value with its note.
func (f figure) Full() string {
	if f.Note == "" {
		return f.Value
	}
	return f.Value + " (" + f.Note + ")"
}

// rank is a level, or the number of projects at one.
type rank struct{ Class, Text string }

// Ranks returns the level of the figure or, over several projects, how many are
// at each level.
func (f figure) Ranks() (ranks []rank) {
	if f.Level != "" {
		ranks = append(ranks, rank{class(f.Level), string(f.Level)})
	}
	for _, l := range f.Levels {
		switch {
		case l.Applications == 0:
		case l.Level == "":
			ranks = append(ranks, rank{"", fmt.Sprintf("%d without a level", l.Applications)})
		default:
			ranks = append(ranks, rank{class(l.Level), fmt.Sprintf("%d %s", l.Applications, l.Level)})
		}
	}
	return ranks
}

// class returns the CSS class of a level.
func class(level dora.Level) string {
	switch level {
	case dora.Elite, dora.High, dora.Medium, dora.Low:
		return string(level)
	}
	return "answer"
}

func formatValue(f dora.Figure, v dora.Value) string {
	if _, ok := f.Number(v); !ok {
		return noData
	}
	switch f.Kind {
	case dora.Frequency:
		return formatRate(v.Count, v.Length)
	case dora.Ratio:
		r, _ := v.Ratio()
		return strconv.FormatFloat(r*100, 'f', 1, 64) + "%"
	case dora.Duration:
		return formatDuration(v.P50)
	}
	return strconv.FormatInt(v.Count, 10)
}

func formatDetail(f dora.Figure, v dora.Value) string {
	switch f.Kind {
	case dora.Frequency:
		return fmt.Sprintf("%s on %s", plural(v.Count, f.Source.Subject()), plural(v.Days, "day"))
	case dora.Ratio:
		detail := fmt.Sprintf("%d of %s", v.Count, plural(v.Whole, f.Source.Subject()))
		if !f.HasBands {
			detail += "; DORA publishes no bands"
		}
		return detail
	case dora.Duration:
		detail := plural(v.Samples, f.Source.Subject())
		if v.Samples > 0 {
			if f.Name == dora.ChangeLeadTime {
				detail += ", each from its oldest commit"
			}
			detail = fmt.Sprintf("median of %s; 90%% within %s", detail, formatDuration(v.P90))
		}
		return detail
	}
	return ""
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
func formatDuration(d time.Duration) string {
	const minute, hour, day = 60, 3600, 86400
	switch s := d.Seconds(); {
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
