package page

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/em-metrics/em-metrics/db/dora"
)

// groupTable is a table of groups.
type groupTable struct {
	Title   string // of one group
	Columns []column
	Rows    []groupRow
	More    string       // what is not in the table
	CSV     template.URL // the table with all its rows

	groups []dora.Group // of the rows
}

// column is a column of a table of groups, whose header is a link that sorts by it.
type column struct {
	Title, About string
	Sort         string // "ascending" or "descending" if the table is sorted by it
	Query        template.URL
	IsNumber     bool

	key   string
	value func(dora.Group) (float64, bool) // to sort by; nil for the name
}

// The columns besides those of the keys.
const (
	byName        = "name"
	byDeployments = "deployments"
	byOpen        = "open_incidents"
)

// Sorts returns the values of the parameter sort: a column, with a minus for the
// greatest value first.
func Sorts() []string {
	columns := []string{byName, byDeployments, byOpen}
	for _, name := range dora.BandsNames() {
		bands, _ := dora.BandsOf(name)
		for _, f := range bands.Keys() {
			if !slices.Contains(columns, string(f.Name)) {
				columns = append(columns, string(f.Name))
			}
		}
	}
	sorts := slices.Clone(columns)
	for _, column := range columns {
		sorts = append(sorts, "-"+column)
	}
	return sorts
}

// columns returns the columns of a table of groups.
func (q Query) columns(title string) []column {
	count := func(read func(dora.Group) int64) func(dora.Group) (float64, bool) {
		return func(g dora.Group) (float64, bool) { return float64(read(g)), true }
	}
	columns := []column{
		{Title: title, key: byName},
		{Title: "Deployments", key: byDeployments, IsNumber: true, value: count(func(g dora.Group) int64 { return g.Deployments })},
	}
	short := map[dora.Name]string{
		dora.DeploymentFrequency: "Frequency", dora.ChangeLeadTime: "Lead time", dora.ChangeFailureRate: "Failures",
		dora.FailedDeploymentRecoveryTime: "Recovery", dora.TimeToRestore: "Recovery", dora.DeploymentReworkRate: "Rework",
	}
	for _, f := range q.Bands.Keys() {
		columns = append(columns, column{
			Title: cmp.Or(short[f.Name], f.Title), About: f.About, key: string(f.Name),
			value: func(g dora.Group) (float64, bool) { return f.Number(f.Value(g.Totals)) },
		})
	}
	columns = append(columns, column{Title: "Open", About: "Incidents not restored at the end of the window", key: byOpen, IsNumber: true,
		value: count(func(g dora.Group) int64 { return g.OpenIncidents })})
	sorted := cmp.Or(q.Sort, "-"+byDeployments)
	for i, c := range columns {
		next := "-" + c.key
		switch {
		case sorted == c.key:
			columns[i].Sort = "ascending"
		case sorted == "-"+c.key:
			columns[i].Sort, next = "descending", c.key
		case c.key == byName: // from A to Z first
			next = c.key
		}
		columns[i].Query = q.linkTo("sort", next)
	}
	return columns
}

// newGroupTable returns the table of the groups of a grouping, sorted as asked for.
// There are more groups than those, if all is greater than their number.
func newGroupTable(title string, groups []dora.Group, all int, q Query) *groupTable {
	csv := q.exactly()
	for name, value := range map[string]string{"format": "csv", "table": strings.ToLower(title) + "s", "sort": q.Sort} {
		if value != "" {
			csv.Set(name, value)
		}
	}
	t := &groupTable{Title: title, Columns: q.columns(title), CSV: encode(csv), groups: groups}
	for _, c := range t.Columns {
		if q.Sort != "" && c.Sort != "" {
			slices.SortStableFunc(groups, c.compare)
		}
	}
	for _, g := range groups {
		t.Rows = append(t.Rows, newGroupRow(title, g, q))
	}
	if more := all - len(groups); more > 0 {
		t.More = fmt.Sprintf("and %d more with fewer deployments; they are in the CSV", more)
	}
	return t
}

// compare orders two groups by the column. What is undefined comes last.
func (c column) compare(a, b dora.Group) int {
	if c.value == nil {
		order := cmp.Or(strings.Compare(a.Project+a.Team, b.Project+b.Team), strings.Compare(a.Environment, b.Environment))
		return c.direction() * order
	}
	x, isDefined := c.value(a)
	y, isOtherDefined := c.value(b)
	if !isDefined || !isOtherDefined {
		rank := map[bool]int{true: 0, false: 1}
		return rank[isDefined] - rank[isOtherDefined]
	}
	return c.direction() * cmp.Compare(x, y)
}

func (c column) direction() int {
	if c.Sort == "descending" {
		return -1
	}
	return 1
}

// groupRow is a project, a team, or an environment, or one of the former in an
// environment, with its keys.
type groupRow struct {
	Name, Environment string
	Query             template.URL // empty for what has no team
	Deployments, Open int64
	Figures           []figure
}

func newGroupRow(title string, g dora.Group, q Query) groupRow {
	row := groupRow{Name: g.Project, Environment: g.Environment, Deployments: g.Deployments, Open: g.OpenIncidents}
	switch title {
	case teamTitle:
		row.Name = g.Team
	case environmentTitle:
		row.Name, row.Environment = g.Environment, ""
	}
	query := q.link()
	for name, value := range map[string]string{"project_id": g.Project, "team_id": g.Team, "environment": g.Environment} {
		if value != "" {
			query.Set(name, value)
		}
	}
	row.Query = encode(query)
	if row.Name == "" {
		row.Name, row.Query = "no team", ""
	}
	for _, f := range q.Bands.Keys() {
		shown := newRatedFigure(f, g, q.Bands)
		if shown.Value == noData {
			shown.Value = "–"
		}
		row.Figures = append(row.Figures, shown)
	}
	return row
}
