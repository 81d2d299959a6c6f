package page

import (
	"context"
	"strconv"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// Tables returns the names of the tables of the page that there are as CSV.
func Tables() []string { return []string{"projects", "teams", "environments"} }

// Table returns a table of the page with all its rows, for a spreadsheet: numbers are
// plain, and the header has their units. What is undefined is empty.
func (p *Renderer) Table(ctx context.Context, q Query, name string) (header []string, rows [][]string, err error) {
	o, err := p.Store.Overview(ctx, q.Query, q.byTeam())
	if err != nil {
		return nil, nil, err
	}
	var v view
	if err := v.addGroups(ctx, o, dora.MaxGroups, q); err != nil {
		return nil, nil, err
	}
	table := map[string]*groupTable{"projects": v.Projects, "teams": v.Teams, "environments": v.Environments}[name]
	if table == nil { // there are no teams, or a single environment
		table = &groupTable{Title: map[string]string{"teams": teamTitle, "environments": environmentTitle}[name]}
	}
	header, rows = table.spreadsheet(q)
	return header, rows, nil
}

// spreadsheet returns the header and the rows of a table of groups.
func (t *groupTable) spreadsheet(q Query) (header []string, rows [][]string) {
	header = []string{t.Title, "Environment"}
	for _, c := range spreadsheetCells(dora.Group{}, q) {
		header = append(header, c.title)
	}
	for i, g := range t.groups {
		row := []string{t.Rows[i].Name, g.Environment}
		for _, c := range spreadsheetCells(g, q) {
			row = append(row, c.value)
		}
		rows = append(rows, row)
	}
	return header, rows
}

// spreadsheetCell is a cell and the title of its column.
type spreadsheetCell struct{ title, value string }

func spreadsheetCells(g dora.Group, q Query) []spreadsheetCell {
	number := func(n float64, isDefined bool) string {
		if !isDefined {
			return ""
		}
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	cells := []spreadsheetCell{{"Deployments", number(float64(g.Deployments), true)}}
	for _, f := range q.Bands.Keys() {
		v := f.Value(g.Totals)
		switch f.Kind {
		case dora.Frequency:
			cells = append(cells, spreadsheetCell{"Deployments per day", number(v.PerDay(), v.Length > 0)})
		case dora.Ratio:
			r, ok := v.Ratio()
			cells = append(cells, spreadsheetCell{f.Title + " (%)", number(r*100, ok)})
		case dora.Duration:
			hours := func(d time.Duration) string { return number(d.Hours(), v.Samples > 0) }
			cells = append(cells, spreadsheetCell{f.Title + ", median (hours)", hours(v.P50)},
				spreadsheetCell{f.Title + ", 90th percentile (hours)", hours(v.P90)})
		case dora.Count:
		}
		if f.HasBands {
			cells = append(cells, spreadsheetCell{f.Title + ", level", string(q.Bands.Rate(f, g).Level)})
		}
	}
	return append(cells, spreadsheetCell{"Open incidents", number(float64(g.OpenIncidents), true)})
}
