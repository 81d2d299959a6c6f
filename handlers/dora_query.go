package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the image has no time zones of its own

	"github.com/em-metrics/em-metrics/db"
)

const (
	defaultWindow = 30 * 24 * time.Hour
	defaultBands  = 2023
)

// doraQuery reads the parameters that choose what figures are computed of.
func (a *api) doraQuery(q *query) db.DoraQuery {
	location := q.location()
	from, to := a.window(q, location)
	return db.DoraQuery{
		From: from, To: to, Location: location,
		DoraFilter: db.DoraFilter{
			Project: q.text("project_id"), Team: q.text("team_id"), Environment: q.text("environment"),
		},
	}
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

// window reads from and to, or a window that ends at to or now.
func (a *api) window(q *query, location *time.Location) (from, to time.Time) {
	length := defaultWindow
	if value := q.text("window"); value != "" {
		var err error
		if length, err = db.ParseWindow(value); err != nil {
			q.add("window", "%v", err)
		}
		if q.values.Has("from") {
			q.add("window", "and from say the same thing: send one of them")
		}
	}
	from, to = q.date("from", location), q.date("to", location)
	if to.IsZero() {
		_, to = a.Store.Window(length)
	}
	if from.IsZero() {
		from = to.Add(-length)
	}
	if !from.Before(to) && len(q.errs) == 0 {
		q.add("from", "is %s, which is not before to, %s: send an earlier date", *showTime(from), *showTime(to))
	}
	if from.Before(time.Unix(0, 0)) {
		from = time.Unix(0, 0).UTC() // there is nothing before
	}
	return from, to
}

// date reads a date. A date alone is its midnight in the time zone asked for.
func (q *query) date(name string, location *time.Location) time.Time {
	value := q.text(name)
	if value == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(time.DateOnly, value, location)
	if err != nil {
		t, err = parseTime(value)
	}
	if err != nil { // a plus sign that nobody escaped has become a space
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

// choice reads a parameter that is one of a few words.
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

func (q *query) groupBy() (by db.GroupBy) {
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

func (q *query) interval() db.Interval {
	switch q.choice("interval", "", "day", "week", "month") {
	case "day":
		return db.Daily
	case "week":
		return db.Weekly
	case "month":
		return db.Monthly
	}
	return db.NoInterval
}

func (q *query) bands() db.Bands {
	year, err := strconv.Atoi(q.choice("bands", strconv.Itoa(defaultBands), "2021", "2023"))
	if err != nil {
		year = defaultBands
	}
	bands, _ := db.BandsOf(year)
	return bands
}

// format chooses between JSON and CSV, by the parameter or by what the client
// accepts first.
func (q *query) format(r *http.Request) string {
	if format := q.choice("format", "", "json", "csv"); format != "" {
		return format
	}
	for _, part := range strings.Split(r.Header.Get("Accept"), ",") {
		media, _, _ := strings.Cut(part, ";")
		switch strings.TrimSpace(media) {
		case "text/csv":
			return "csv"
		case "application/json", "*/*":
			return "json"
		}
	}
	return "json"
}
