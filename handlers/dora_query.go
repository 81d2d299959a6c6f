package handlers

import (
	"net/http"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the image has no time zones of its own

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/handlers/page"
)

const defaultWindow = 30 * 24 * time.Hour

// figuresQuery selects figures.
type figuresQuery struct {
	dora.Query
	// production are the environments that count as production, if it looks at those
	// because the request names none.
	production dora.Environments
	// period is the month or quarter that the request names, nil if it names none.
	period *dora.Period
}

// doraQuery reads the window, the time zone and the filter.
func (a *api) doraQuery(q *query) figuresQuery {
	location := q.location()
	from, to, period := a.window(q, location)
	var production dora.Environments
	filter := dora.Filter{Project: q.text("project_id"), Team: q.text("team_id"), Environment: q.text("environment")}
	switch filter.Environment {
	case "":
		production = a.Production()
		filter.Environments = production
		if len(production) == 1 && !strings.Contains(production[0], "*") {
			filter.Environment = production[0]
		}
	case page.AllEnvironments:
		filter.Environment = ""
	}
	shown := dora.Query{From: from, To: to, Location: location, RecoveryFrom: q.recoveryFrom(), Filter: filter}
	return figuresQuery{Query: shown, production: production, period: period}
}

func (q *query) location() *time.Location {
	name := q.text("tz")
	if name == "" {
		return time.UTC
	}
	location, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		q.add("tz", "is %s: send the name of a time zone, such as Europe/Berlin or UTC", db.Quote(name))
		return time.UTC
	}
	return location
}

// window reads a period, from and to, or the length of a window that ends at to or
// now. A window ends now at the latest: nothing has happened after it, and the days
// until to would only make the figures per day smaller.
func (a *api) window(q *query, location *time.Location) (from, to time.Time, period *dora.Period) {
	length := defaultWindow
	if value := q.text("window"); value != "" {
		var err error
		if length, err = dora.ParseWindow(value); err != nil {
			q.add("window", "%v", err)
		}
		if q.values.Has("from") {
			q.add("window", "and from say the same thing: send one of them")
		}
	}
	from, to = q.date("from", location), q.date("to", location)
	if period = a.period(q, location); period != nil {
		from, to = period.From(), period.To()
	}
	if _, now := a.Store.Window(length); to.IsZero() || to.After(now) {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-length)
	}
	switch {
	case len(q.errs) > 0:
	case period != nil && from.After(a.Store.Now()):
		q.add("period", "is %s, which is in the future: send an earlier one", period)
	case from.After(a.Store.Now()):
		q.add("from", "is %s, which is in the future: send an earlier date", *showTime(from))
	case !from.Before(to):
		q.add("from", "is %s, which is not before to, %s: send an earlier date", *showTime(from), *showTime(to))
	}
	if from.Before(time.Unix(0, 0)) {
		from = time.Unix(0, 0).UTC() // nothing is stored before
	}
	return from, to, period
}

// period reads a month or quarter, nil if none is named.
func (a *api) period(q *query, location *time.Location) *dora.Period {
	name := q.text("period")
	if name == "" {
		return nil
	}
	for _, other := range []string{"window", "from", "to"} {
		if q.values.Has(other) {
			q.add("period", "and %s say the same thing: send one of them", other)
		}
	}
	period, err := dora.ParsePeriod(name, a.Store.Now(), location)
	if err != nil {
		q.add("period", "is %s: send %s", db.Quote(name), dora.PeriodNames)
		return nil
	}
	return &period
}

// date reads a date. Without a time it is midnight in the location.
func (q *query) date(name string, location *time.Location) time.Time {
	value := q.text(name)
	if value == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(time.DateOnly, value, location)
	if err != nil {
		t, err = parseTime(value)
	}
	if err != nil { // an unescaped plus sign is decoded as a space
		t, err = parseTime(strings.ReplaceAll(value, " ", "+"))
	}
	switch {
	case err != nil:
		q.add(name, "is %s: send a date such as 2026-01-31, or one with its time such as 2026-01-31T12:00:00Z", db.Quote(value))
	case t.Before(time.Unix(0, 0)):
		q.add(name, "is %s: a date before 1970 cannot be right", db.Quote(value))
	}
	return t.UTC()
}

// choice reads a parameter whose value is one of the words.
func (q *query) choice(name, absent string, words ...string) string {
	value := q.text(name)
	if value == "" {
		return absent
	}
	if !slices.Contains(words, value) {
		q.add(name, "is %s: send one of %s", db.Quote(value), strings.Join(words, ", "))
		return absent
	}
	return value
}

func (q *query) recoveryFrom() dora.RecoveryStart {
	if q.choice("recovery_from", "incident", "incident", "deployment") == "deployment" {
		return dora.FromDeployment
	}
	return dora.FromIncident
}

func (q *query) groupBy() (by dora.GroupBy) {
	value := q.text("group_by")
	if value == "" {
		return by
	}
	for _, word := range strings.Split(value, ",") {
		switch strings.TrimSpace(word) {
		case "project", "project_id":
			by.Project = true
		case "team", "team_id":
			by.Team = true
		case "environment":
			by.Environment = true
		default:
			q.add("group_by", "has %s: send any of project, team and environment, with commas between", db.Quote(word))
		}
	}
	return by
}

func (q *query) interval() dora.Interval {
	switch q.choice("interval", "", "day", "week", "month") {
	case "day":
		return dora.Daily
	case "week":
		return dora.Weekly
	case "month":
		return dora.Monthly
	}
	return dora.NoInterval
}

func (q *query) bands() dora.Bands {
	names := dora.BandsNames()
	bands, _ := dora.BandsOf(q.choice("bands", names[0], names...))
	return bands
}

// format returns the first of the formats, or the one that the parameter or else the
// client prefers.
func (q *query) format(r *http.Request, formats ...string) string {
	return q.choice("format", preferredFormat(r, formats...), formats...)
}

// preferredFormat returns the format of the first media type that the client accepts,
// the first one if there is none.
func preferredFormat(r *http.Request, formats ...string) string {
	for _, part := range strings.Split(r.Header.Get("Accept"), ",") {
		media, _, _ := strings.Cut(part, ";")
		format := map[string]string{
			"text/csv": "csv", "text/html": "html", "application/json": "json", "*/*": formats[0],
		}[strings.TrimSpace(media)]
		if slices.Contains(formats, format) {
			return format
		}
	}
	return formats[0]
}
