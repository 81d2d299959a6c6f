package page

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// keyView is the card of one of the four keys, or of rework.
type keyView struct {
	figure
	Title, About string
	Trend        string
	Explain      template.URL
	Chart        chart
}

func newKeyViews(now dora.Group, before dora.Totals, q Query) []keyView {
	var views []keyView
	for _, f := range q.Bands.Keys() {
		current, earlier := newRatedFigure(f, now, q.Bands), newFigure(f, before)
		explain := q.parameters()
		explain.Set("metric", string(f.Name))
		views = append(views, keyView{
			figure: current, Title: f.Title, About: f.About,
			Trend: compare(current, earlier, f.HigherIsBetter), Explain: encode(explain),
			Chart: newChart(now.Series, f, current.Value),
		})
	}
	return views
}

// compare describes how a key changed since the previous window.
func compare(now, before figure, higherIsBetter bool) string {
	switch {
	case before.Number == nil || now.Number == nil:
		return "Previously: " + before.Full()
	case *now.Number == *before.Number:
		return "Unchanged"
	case (*now.Number > *before.Number) == higherIsBetter:
		return "Better: was " + before.Full()
	}
	return "Worse: was " + before.Full()
}

// trendRow is one interval of the trends, the text alternative to the charts.
type trendRow struct {
	From   string
	Values []string
}

func newTrendRows(series []dora.Bucket, q Query) []trendRow {
	keys := q.Bands.Keys() // once, because there may be hundreds of rows
	rows := make([]trendRow, 0, len(series))
	for _, bucket := range series {
		row := trendRow{From: bucket.From.In(q.Location).Format("2 Jan 2006")}
		for _, f := range keys {
			value := newFigure(f, bucket.Totals).Full()
			if f.Kind == dora.Frequency {
				value = strconv.FormatInt(f.Value(bucket.Totals).Count, 10)
			}
			row.Values = append(row.Values, value)
		}
		rows = append(rows, row)
	}
	return rows
}

// groupTable is a table of groups.
type groupTable struct {
	Title string // of one group
	Rows  []groupRow
	More  string // what is not in the table
}

func newGroupTable(title string, groups []dora.Group, all int, q Query) *groupTable {
	t := &groupTable{Title: title}
	for _, g := range groups {
		t.Rows = append(t.Rows, newGroupRow(g, q))
	}
	if more := all - len(groups); more > 0 {
		t.More = fmt.Sprintf("and %d more with fewer deployments; use the filter or download the CSV", more)
	}
	return t
}

// groupRow is a project, an environment, or a project in an environment with its
// keys. Name is that of the environment if there is no project.
type groupRow struct {
	Name, Environment string
	Query             template.URL
	Deployments, Open int64
	Figures           []figure
}

func newGroupRow(g dora.Group, q Query) groupRow {
	query := q.filter()
	query.Set("window", dora.FormatWindow(q.Length()))
	row := groupRow{Name: g.Project, Environment: g.Environment, Deployments: g.Deployments, Open: g.OpenIncidents}
	if g.Project != "" {
		query.Set("project_id", g.Project)
	}
	if g.Environment != "" {
		query.Set("environment", g.Environment)
	}
	if g.Project == "" {
		row.Name, row.Environment = g.Environment, ""
	}
	row.Query = encode(query)
	for _, f := range q.Bands.Keys() {
		shown := newRatedFigure(f, g, q.Bands)
		if shown.Value == noData {
			shown.Value = "–"
		}
		row.Figures = append(row.Figures, shown)
	}
	return row
}

// stateRow is a deployment or an incident with its state.
type stateRow struct {
	ID, Project, Environment, Deployment string
	State, Class                         string
	Rework                               bool
	When                                 moment
}

func newIncidentRow(i *db.Incident, now time.Time) stateRow {
	row := stateRow{ID: i.ID, Project: i.Project, Environment: i.Environment, Deployment: i.DeploymentID,
		State: "in progress", Class: "low", When: newMoment(i.StartedAt, now)}
	if !i.RestoredAt.IsZero() {
		row.State, row.Class = "restored", "medium"
	}
	return row
}

func newDeploymentRow(d *db.Deployment, incidents int, now time.Time) stateRow {
	row := stateRow{ID: d.ID, Project: d.Project, Environment: d.Environment, Rework: d.Rework}
	switch {
	case incidents > 0:
		row.State, row.Class = plural(int64(incidents), "incident"), "low"
	case !d.RolledBackAt.IsZero():
		row.State, row.Class = "rolled back", "low"
	case d.Failed:
		row.State, row.Class = "failed", "low"
	case d.DeployedAt.IsZero() && !d.AbortedAt.IsZero():
		row.State, row.Class = "aborted", "medium"
	case d.DeployedAt.IsZero():
		row.State, row.Class = "started", "medium"
	default:
		row.State, row.Class = "deployed", "elite"
	}
	if row.When = newMoment(d.DeployedAt, now); d.DeployedAt.IsZero() {
		row.When = newMoment(d.BeganAt(), now)
	}
	return row
}

// eventRow is a stored event.
type eventRow struct {
	Kind, ID, Project, Environment, Team string
	Occurred, Recorded                   moment
}

func newEventRow(e db.Event, now time.Time) eventRow {
	kind := strings.ReplaceAll(string(e.Kind), "_", " ")
	return eventRow{
		Kind: strings.ToUpper(kind[:1]) + kind[1:], ID: e.Subject, Project: e.Project, Environment: e.Environment, Team: e.Team,
		Occurred: newMoment(e.OccurredAt, now), Recorded: newMoment(e.RecordedAt, now),
	}
}

// moment is a time for humans and for machines.
type moment struct{ Machine, Exact, Age string }

func newMoment(at, now time.Time) moment {
	return moment{
		Machine: at.UTC().Format(time.RFC3339),
		Exact:   at.In(now.Location()).Format("2 January 2006, 15:04:05 MST"),
		Age:     formatAge(now.Sub(at)),
	}
}

func formatAge(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * 24 * time.Hour, "year"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= unit.length {
			return plural(int64(d/unit.length), unit.name) + " ago"
		}
	}
	return "just now"
}
