package page

import (
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// keyView is the card of one of the four keys, or of rework.
type keyView struct {
	Title, Value, Detail, Trend string
	Level                       db.Level
	Explain                     template.URL
	Chart                       chart
}

// keys returns the four keys of the report behind the bands, and rework.
func keys(b db.Bands) []db.Metric {
	keys := slices.Clone(db.Metrics()[:5])
	if b.Year == 2021 { // its fourth key was the recovery from any incident
		keys[slices.Index(keys, db.FailedDeploymentRecoveryTime)] = db.TimeToRestore
	}
	return keys
}

func newKeyViews(now db.DoraGroup, before db.Dora, q Query) []keyView {
	var views []keyView
	for _, m := range keys(q.Bands) {
		current, earlier := newFigure(now.Dora, m, q.Bands, q.length()), newFigure(before, m, q.Bands, q.length())
		explain := q.parameters()
		explain.Set("metric", string(m))
		views = append(views, keyView{
			Title: title(m), Value: current.Value, Level: current.Level, Detail: current.Detail,
			Trend: compare(current, earlier, m), Explain: encode(explain),
			Chart: newChart(now.Series, m, current.Value, q.Bands),
		})
	}
	return views
}

// compare describes how a key changed since the previous window.
func compare(now, before figure, m db.Metric) string {
	switch {
	case before.Number == nil || now.Number == nil:
		return "Previously: " + before.Value
	case *now.Number == *before.Number:
		return "Unchanged"
	case (*now.Number > *before.Number) == (m == db.DeploymentFrequency):
		return "Better: was " + before.Value
	}
	return "Worse: was " + before.Value
}

// trendRow is one interval of the trends, the text alternative to the charts.
type trendRow struct {
	From   string
	Values []string
}

func newTrendRows(series []db.DoraInterval, q Query) []trendRow {
	var rows []trendRow
	for _, piece := range series {
		row := trendRow{From: piece.From.In(q.Location).Format("2 Jan 2006")}
		for _, m := range keys(q.Bands) {
			value := newFigure(piece.Dora, m, q.Bands, piece.To.Sub(piece.From)).Value
			if m == db.DeploymentFrequency {
				value = count(piece.Deployments).Value
			}
			row.Values = append(row.Values, value)
		}
		rows = append(rows, row)
	}
	return rows
}

// projectRow is a project with its keys.
type projectRow struct {
	Name              string
	Query             template.URL
	Deployments, Open int64
	Figures           []figure
}

func newProjectRow(g db.DoraGroup, q Query) projectRow {
	query := q.filter()
	query.Set("project_id", g.Project)
	query.Set("window", db.FormatWindow(q.length()))
	row := projectRow{Name: g.Project, Query: encode(query), Deployments: g.Deployments, Open: g.OpenIncidents}
	for _, m := range keys(q.Bands) {
		f := newFigure(g.Dora, m, q.Bands, q.length())
		if f.Value == noData {
			f.Value = "–"
		}
		row.Figures = append(row.Figures, f)
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
	case d.DeployedAt.IsZero():
		row.State, row.Class = "started", "medium"
	default:
		row.State, row.Class = "deployed", "elite"
	}
	if row.When = newMoment(d.DeployedAt, now); d.DeployedAt.IsZero() {
		row.When = newMoment(d.DeployStartAt, now)
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
