package handlers

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// filterView is the form above the figures.
type filterView struct {
	Projects, Teams, Environments, Windows, Bands []option
}

type option struct {
	Value, Name string
	Chosen      bool
}

func newFilterView(names db.Names, q db.DoraQuery, b db.Bands) filterView {
	var windows []option
	chosen := false
	length := q.To.Sub(q.From)
	for _, days := range []int{7, 30, 90, 365} {
		this := time.Duration(days)*24*time.Hour == length
		chosen = chosen || this
		windows = append(windows, option{fmt.Sprintf("%dd", days), fmt.Sprintf("%d days", days), this})
	}
	if !chosen {
		windows = append(windows, option{db.FormatWindow(length), strings.Trim(db.FormatWindow(length), "dh") +
			map[bool]string{true: " days", false: " hours"}[length%(24*time.Hour) == 0], true})
	}
	return filterView{
		Projects:     options("All projects", names.Projects, q.Project),
		Teams:        options("All teams", names.Teams, q.Team),
		Environments: options("All environments", names.Environments, q.Environment),
		Windows:      windows,
		Bands:        []option{{"2023", "DORA 2023", b.Year == 2023}, {"2021", "DORA 2021", b.Year == 2021}},
	}
}

// options lists names to choose from. The chosen one is there even when
// nothing of it falls into the window.
func options(all string, names []string, chosen string) []option {
	if chosen != "" && !slices.Contains(names, chosen) {
		names = append(slices.Clone(names), chosen)
	}
	list := []option{{"", all, chosen == ""}}
	for _, name := range names {
		list = append(list, option{name, clip(name, 60), name == chosen})
	}
	return list
}

// keyView is one of the four keys, or rework.
type keyView struct {
	Title, Value, Level, Detail, Trend string
	Explain                            template.URL
	Chart                              chart
}

// pageKeys are the four keys as the report of the bands names them, and rework.
func pageKeys(b db.Bands) []db.Metric {
	keys := slices.Clone(db.Metrics()[:5])
	if b.Year == 2021 { // which asked for the recovery from any incident
		keys[slices.Index(keys, db.FailedDeploymentRecoveryTime)] = db.TimeToRestore
	}
	return keys
}

func keyViews(now db.DoraGroup, before db.Dora, q db.DoraQuery, b db.Bands) []keyView {
	length := q.To.Sub(q.From)
	current, earlier := showFigures(now.Dora, b), showFigures(before, b)
	var keys []keyView
	for _, m := range pageKeys(b) {
		value, level := headline(current, m, length)
		values := pageQuery(q, b)
		values.Set("metric", string(m))
		keys = append(keys, keyView{
			Title: metricTitle(m), Value: value, Level: csvText(level), Detail: detail(current, m),
			Trend: compared(current, earlier, m, length), Explain: encoded(values),
			Chart: newChart(now.Series, m, value, b),
		})
	}
	return keys
}

// detail is the small print of a key: what the value was computed from.
func detail(f figures, m db.Metric) string {
	switch shown := f.of(m).(type) {
	case frequency:
		return fmt.Sprintf("%s on %s", plural(shown.Deployments, "deployment"), plural(shown.DaysWithDeployment, "day"))
	case durations:
		samples := plural(shown.Samples, map[bool]string{true: "deployment", false: "incident"}[m == db.ChangeLeadTime])
		if shown.Samples == 0 {
			return samples
		}
		return fmt.Sprintf("median of %s; nine of ten within %s", samples, showDuration(shown.P90))
	case failures:
		return fmt.Sprintf("%d of %s", shown.FailedDeployments, plural(shown.Deployments, "deployment"))
	case rework:
		return fmt.Sprintf("%d of %s; DORA has no bands for it", shown.ReworkDeployments, plural(shown.Deployments, "deployment"))
	}
	return ""
}

func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatInt(n, 10) + " " + thing + "s"
}

// compared says in words how a key stands against the window before.
func compared(now, before figures, m db.Metric, length time.Duration) string {
	is, was := measure(now, m), measure(before, m)
	value, _ := headline(before, m, length)
	switch {
	case was == nil || is == nil:
		return "Before: " + value
	case *is == *was:
		return "As before"
	case (*is > *was) == (m == db.DeploymentFrequency):
		return "Better: was " + value
	}
	return "Worse: was " + value
}

// measure is a key as a number, nil when it is undefined.
func measure(f figures, m db.Metric) *float64 {
	switch shown := f.of(m).(type) {
	case frequency:
		n := float64(shown.Deployments)
		return &n
	case durations:
		return shown.P50
	case failures:
		return shown.Ratio
	case rework:
		return shown.Ratio
	}
	return nil
}

// chart is a small picture of a series: bars of counts and ratios, a line of
// durations.
type chart struct {
	Label string
	Bars  []bar
	Lines []string
}

type bar struct{ X, Y, Width, Height string }

const chartWidth, chartHeight = 300.0, 56.0

func newChart(series []db.DoraInterval, m db.Metric, value string, b db.Bands) chart {
	c := chart{Label: fmt.Sprintf("Trend of %s in %d steps; over the whole window: %s", strings.ToLower(metricTitle(m)), len(series), value)}
	values, most := make([]*float64, len(series)), 0.0
	for i, piece := range series {
		if values[i] = measure(showFigures(piece.Dora, b), m); values[i] != nil {
			most = math.Max(most, *values[i])
		}
	}
	if most == 0 {
		return c
	}
	step := chartWidth / float64(len(series))
	var points []string
	for i, v := range values {
		if v == nil {
			continue
		}
		height := *v / most * (chartHeight - 4)
		x, y := float64(i)*step, chartHeight-1-height
		if m == db.ChangeLeadTime || m == db.FailedDeploymentRecoveryTime || m == db.TimeToRestore {
			points = append(points, coordinate(x+step/2)+","+coordinate(y))
			continue
		}
		c.Bars = append(c.Bars, bar{coordinate(x + step*0.15), coordinate(y), coordinate(step * 0.7), coordinate(height)})
	}
	if len(points) == 1 { // a line of one point would not be seen
		_, y, _ := strings.Cut(points[0], ",")
		points = []string{"0," + y, coordinate(chartWidth) + "," + y}
	}
	if len(points) > 0 {
		c.Lines = []string{strings.Join(points, " ")}
	}
	return c
}

func coordinate(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }

// trendRow is the series as text, for those who do not see the pictures.
type trendRow struct {
	From   string
	Values []string
}

func trendRows(series []db.DoraInterval, q db.DoraQuery, b db.Bands) []trendRow {
	var rows []trendRow
	for _, piece := range series {
		row := trendRow{From: piece.From.In(q.Location).Format("2 Jan 2006")}
		f := showFigures(piece.Dora, b)
		for _, m := range pageKeys(b) {
			value, _ := headline(f, m, piece.To.Sub(piece.From))
			if m == db.DeploymentFrequency {
				value = strconv.FormatInt(f.DeploymentFrequency.Deployments, 10)
			}
			row.Values = append(row.Values, value)
		}
		rows = append(rows, row)
	}
	return rows
}

type projectRow struct {
	Name              string
	Query             template.URL
	Deployments, Open int64
	Cells             []cell
}

type cell struct{ Value, Level string }

func newProjectRow(g db.DoraGroup, q db.DoraQuery, b db.Bands) projectRow {
	values := url.Values{"project_id": {g.Project}, "window": {db.FormatWindow(q.To.Sub(q.From))}}
	for name, value := range map[string]string{"team_id": q.Team, "environment": q.Environment} {
		if value != "" {
			values.Set(name, value)
		}
	}
	row := projectRow{Name: g.Project, Query: encoded(values), Deployments: g.Deployments, Open: g.OpenIncidents}
	f := showFigures(g.Dora, b)
	for _, m := range pageKeys(b) {
		value, level := headline(f, m, q.To.Sub(q.From))
		if value == noData {
			value = "–"
		}
		row.Cells = append(row.Cells, cell{value, csvText(level)})
	}
	return row
}

// stateRow is a deployment or an incident with how far it has come.
type stateRow struct {
	ID, Project, Environment, Deployment string
	State, Class                         string
	Rework                               bool
	When                                 when
}

func newIncidentRow(i *db.Incident, now time.Time) stateRow {
	row := stateRow{ID: i.ID, Project: i.Project, Environment: i.Environment, Deployment: i.DeploymentID,
		State: "in progress", Class: "low", When: newWhen(i.StartedAt, now)}
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
	if row.When = newWhen(d.DeployedAt, now); d.DeployedAt.IsZero() {
		row.When = newWhen(d.DeployStartAt, now)
	}
	return row
}

type arrivalRow struct {
	Kind, ID, Project, Environment, Team string
	Happened, Arrived                    when
}

func newArrivalRow(e db.Event, now time.Time) arrivalRow {
	kind := strings.ReplaceAll(string(e.Kind), "_", " ")
	return arrivalRow{
		Kind: strings.ToUpper(kind[:1]) + kind[1:], ID: e.Subject, Project: e.Project, Environment: e.Environment, Team: e.Team,
		Happened: newWhen(e.OccurredAt, now), Arrived: newWhen(e.RecordedAt, now),
	}
}

// when is a date as people and machines read it.
type when struct{ Machine, Exact, Ago string }

func newWhen(at, now time.Time) when {
	return when{
		Machine: at.UTC().Format(time.RFC3339), Exact: at.In(now.Location()).Format("2 January 2006, 15:04:05 MST"), Ago: ago(now.Sub(at)),
	}
}

func ago(d time.Duration) string {
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
