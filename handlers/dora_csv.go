package handlers

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/em-metrics/em-metrics/db/dora"
)

// cell is a cell of a CSV table, whose column has a name of two parts. What is
// undefined is empty.
type cell struct{ prefix, suffix, text string }

// csvFigures returns the figures in the order of their columns: durations last.
func csvFigures() []dora.Figure {
	isDuration := func(f dora.Figure) int { return map[bool]int{true: 1}[f.Kind == dora.Duration] }
	figures := dora.Figures()
	slices.SortStableFunc(figures, func(a, b dora.Figure) int { return isDuration(a) - isDuration(b) })
	return figures
}

// appendCells appends the cells of every figure of a group, in a window or a bucket
// with these totals.
func appendCells(cells []cell, figures []dora.Figure, g dora.Group, t dora.Totals, b dora.Bands) []cell {
	for _, f := range figures {
		cells = appendFigureCells(cells, f, f.Value(t), b.RateTotals(f, g, t))
	}
	return cells
}

// appendFigureCells appends the cells of a figure as its kind has them.
func appendFigureCells(cells []cell, f dora.Figure, v dora.Value, l dora.Level) []cell {
	name := string(f.Name)
	level := cell{name, "_level", string(l)}
	switch f.Kind {
	case dora.Frequency:
		return append(cells,
			cell{"deployments", "", csvInt(v.Count)}, cell{"deployments", "_per_day", csvFloat(v.PerDay(), true)},
			cell{"days_with_deployment", "", csvInt(v.Days)}, level)
	case dora.Ratio:
		cells = append(cells, cell{f.PartName, "", csvInt(v.Count)}, cell{name, "", csvFloat(v.Ratio())})
		if f.HasBands {
			cells = append(cells, level)
		}
		return cells
	case dora.Duration:
		defined := v.Samples > 0
		return append(cells,
			cell{name, "_p50_seconds", csvFloat(v.P50.Seconds(), defined)}, cell{name, "_p90_seconds", csvFloat(v.P90.Seconds(), defined)},
			cell{name, "_mean_seconds", csvFloat(v.Mean.Seconds(), defined)}, cell{name, "_samples", csvInt(v.Samples)}, level)
	}
	return append(cells, cell{name, "", csvInt(v.Count)})
}

// writeDoraCSV writes one row for each group or, with an interval, for each
// bucket of each group.
func writeDoraCSV(w http.ResponseWriter, groups []dora.Group, q dora.Query, b dora.Bands) error {
	figures := csvFigures()
	cells := appendCells(nil, figures, dora.Group{}, dora.Totals{}, b)
	header := []string{"project_id", "team_id", "environment", "from", "to"}
	for _, c := range cells {
		header = append(header, c.prefix+c.suffix)
	}
	return writeCSV(w, "dora.csv", header, func(yield func([]string) bool) {
		record := make([]string, 0, len(header))
		for _, g := range groups {
			buckets := g.Series
			if q.Interval == dora.NoInterval {
				buckets = []dora.Bucket{{From: q.From, To: q.To, Totals: g.Totals}}
			}
			for _, bucket := range buckets {
				record = append(record[:0], csvCell(g.Project), csvCell(g.Team), csvCell(g.Environment),
					*showDate(bucket.From, q.Location), *showDate(bucket.To, q.Location))
				cells = appendCells(cells[:0], figures, g, bucket.Totals, b)
				for _, c := range cells {
					record = append(record, c.text)
				}
				if !yield(record) {
					return
				}
			}
		}
	})
}

func csvInt(n int64) string { return strconv.FormatInt(n, 10) }

func csvFloat(n float64, defined bool) string { return csvNumber(showNumber(n, defined)) }
