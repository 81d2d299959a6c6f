package page

import (
	"fmt"
	"html/template"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// periodView selects the window: links to common ones, a month or quarter to choose,
// and dates to enter.
type periodView struct {
	Presets []choice
	// Earlier and Later are the periods next to the one that is shown.
	Earlier, Later *choice
	Periods        []option
	From, To       string
	DateType       string // of the controls for From and To: "date", or "text" for a date with a time
	Kept           []field
}

// choice is a link to a page that shows something else.
type choice struct {
	Name     string
	Query    template.URL
	Selected bool
}

// maxPeriods is the number of months to choose from, with their quarters.
const maxPeriods = 24

func (q Query) periodView(now time.Time) periodView {
	v := periodView{Kept: q.kept(windowParameters()...), DateType: "date"}
	for _, preset := range []struct{ parameter, value, name string }{
		{"window", "7d", "7 days"}, {"window", "30d", "30 days"}, {"window", "90d", "90 days"}, {"window", "365d", "365 days"},
		{"period", "this-month", "This month"}, {"period", "last-month", "Last month"},
		{"period", "this-quarter", "This quarter"}, {"period", "last-quarter", "Last quarter"},
	} {
		v.Presets = append(v.Presets, choice{
			Name: preset.name, Query: q.linkToWindow(preset.parameter, preset.value),
			Selected: q.isSelected(preset.parameter, preset.value),
		})
	}
	shown, isPeriod := q.shownPeriod(now)
	if isPeriod {
		before, after := shown.Before(), shown.After()
		v.Earlier = &choice{Name: before.Title(), Query: q.linkToWindow("period", before.String())}
		if after.From().Before(now) {
			v.Later = &choice{Name: after.Title(), Query: q.linkToWindow("period", after.String())}
		}
	} else if q.Selected.Has("from") || q.Selected.Has("to") {
		v.From, v.To = q.Selected.Get("from"), q.Selected.Get("to")
		if len(v.From) > len(time.DateOnly) || len(v.To) > len(time.DateOnly) {
			v.DateType = "text"
		}
	}
	v.Periods = q.periods(now, shown, isPeriod)
	return v
}

// isSelected reports whether a parameter selects the window that is shown. 30 days
// are the default.
func (q Query) isSelected(parameter, value string) bool {
	if len(q.Selected) == 0 {
		return value == "30d"
	}
	return len(q.Selected) == 1 && q.Selected.Get(parameter) == value
}

// shownPeriod returns the month or quarter that the window shows, whole or so far.
func (q Query) shownPeriod(now time.Time) (dora.Period, bool) {
	if q.Period != nil {
		return *q.Period, true
	}
	return dora.PeriodOf(q.From, q.To, now, q.Location)
}

// periods lists the latest months and quarters, and the selected one if it is not
// among them.
func (q Query) periods(now time.Time, selected dora.Period, isPeriod bool) []option {
	list := []option{{Name: "Choose", Selected: !isPeriod}}
	add := func(p dora.Period) {
		is := isPeriod && p.String() == selected.String()
		list = append(list, option{Value: p.String(), Name: p.Title(), Selected: is})
		isPeriod = isPeriod && !is
	}
	month, _ := dora.ParsePeriod("this-month", now, q.Location)
	quarter, _ := dora.ParsePeriod("this-quarter", now, q.Location)
	for range maxPeriods {
		add(month)
		if month.From().Equal(quarter.From()) {
			add(quarter)
			quarter = quarter.Before()
		}
		month = month.Before()
	}
	if isPeriod {
		add(selected)
	}
	return list
}

// previous returns the window that a window is compared with, and its name if it is
// not the one right before it. A month is compared with the month before, and a month
// so far with as many days of it. The same holds for quarters.
func (q Query) previous(now time.Time) (from, to time.Time, name string) {
	shown, ok := q.shownPeriod(now)
	if !ok {
		return q.From.Add(-q.Length()), q.From, ""
	}
	before := shown.Before()
	from, name = before.From(), before.Title()
	switch to = from.Add(q.Length()); {
	case q.To.Equal(shown.To()):
		return from, before.To(), name
	case to.After(before.To()): // it is shorter
		return from, before.To(), "all of " + name
	}
	return from, to, "as many days of " + name
}

// describe describes the window in words.
func (q Query) describe(now time.Time) string {
	const minute = "2 January 2006, 15:04"
	text := fmt.Sprintf("%s to %s (%s)", q.From.In(q.Location).Format(minute), q.To.In(q.Location).Format(minute), q.Location)
	if shown, ok := q.shownPeriod(now); ok {
		if q.To.Before(shown.To()) {
			return shown.Title() + " so far: " + text
		}
		return shown.Title() + ": " + text
	}
	return text
}
