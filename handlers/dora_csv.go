package handlers

import (
	"net/http"
	"strconv"

	"github.com/em-metrics/em-metrics/db/dora"
)

// cell is a cell of a CSV table. What is undefined is empty.
type cell struct{ column, text string }

// doraCells returns the cells of every figure. Those of durations come last.
func doraCells(figures []dora.Figure, t dora.Totals, b dora.Bands) []cell {
	var cells, durations []cell
	for _, f := range figures {
		if f.Kind == dora.Duration {
			durations = append(durations, figureCells(f, t, b)...)
		} else {
			cells = append(cells, figureCells(f, t, b)...)
		}
	}
	return append(cells, durations...)
}

// figureCells returns the cells of a figure as its kind has them.
func figureCells(f dora.Figure, t dora.Totals, b dora.Bands) []cell {
	v, name := f.Value(t), string(f.Name)
	level := cell{name + "_level", string(b.Level(f.Name, v))}
	switch f.Kind {
	case dora.Frequency:
		return []cell{
			{"deployments", csvInt(v.Count)}, {"deployments_per_day", csvFloat(v.PerDay(), true)},
			{"days_with_deployment", csvInt(v.Days)}, level,
		}
	case dora.Ratio:
		cells := []cell{{f.PartName, csvInt(v.Count)}, {name, csvFloat(v.Ratio())}}
		if f.HasBands {
			cells = append(cells, level)
		}
		return cells
	case dora.Duration:
		defined := v.Samples > 0
		return []cell{
			{name + "_p50_seconds", csvFloat(v.P50.Seconds(), defined)}, {name + "_p90_seconds", csvFloat(v.P90.Seconds(), defined)},
			{name + "_mean_seconds", csvFloat(v.Mean.Seconds(), defined)}, {name + "_samples", csvInt(v.Samples)}, level,
		}
	}
	return []cell{{name, csvInt(v.Count)}}
}

// writeDoraCSV writes one row for each group or, with an interval, for each
// bucket of each group.
func writeDoraCSV(w http.ResponseWriter, groups []dora.Group, q dora.Query, b dora.Bands) error {
	figures := dora.Figures()
	header := []string{"project_id", "team_id", "environment", "from", "to"}
	for _, c := range doraCells(figures, dora.Totals{}, b) {
		header = append(header, c.column)
	}
	return writeCSV(w, "dora.csv", header, func(yield func([]string) bool) {
		for _, g := range groups {
			buckets := g.Series
			if q.Interval == dora.NoInterval {
				buckets = []dora.Bucket{{From: q.From, To: q.To, Totals: g.Totals}}
			}
			for _, bucket := range buckets {
				record := []string{
					csvCell(g.Project), csvCell(g.Team), csvCell(g.Environment),
					*showDate(bucket.From, q.Location), *showDate(bucket.To, q.Location),
				}
				for _, c := range doraCells(figures, bucket.Totals, b) {
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
