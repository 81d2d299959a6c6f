package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/em-metrics/em-metrics/db/dora"
)

// chart is a small chart of a series: bars for counts and ratios, a line for
// durations.
type chart struct {
	Label string
	Bars  []bar
	Lines []string
}

type bar struct{ X, Y, Width, Height string }

const chartWidth, chartHeight = 300.0, 56.0

// newChart plots the series of a figure. Total is its value over the whole window.
func newChart(series []dora.Bucket, f dora.Figure, total string) chart {
	c := chart{Label: fmt.Sprintf("Trend of %s over %d intervals; whole window: %s", strings.ToLower(f.Title), len(series), total)}
	values, maximum := make([]*float64, len(series)), 0.0
	for i, bucket := range series {
		if n, ok := f.Number(f.Value(bucket.Totals)); ok {
			values[i], maximum = &n, math.Max(maximum, n)
		}
	}
	if maximum == 0 {
		return c
	}
	step := chartWidth / float64(len(series))
	var points []string
	for i, v := range values {
		if v == nil {
			continue
		}
		height := *v / maximum * (chartHeight - 4)
		x, y := float64(i)*step, chartHeight-1-height
		if f.Kind == dora.Duration {
			points = append(points, coordinate(x+step/2)+","+coordinate(y))
			continue
		}
		c.Bars = append(c.Bars, bar{coordinate(x + step*0.15), coordinate(y), coordinate(step * 0.7), coordinate(height)})
	}
	if len(points) == 1 { // a line of a single point would be invisible
		_, y, _ := strings.Cut(points[0], ",")
		points = []string{"0," + y, coordinate(chartWidth) + "," + y}
	}
	if len(points) > 0 {
		c.Lines = []string{strings.Join(points, " ")}
	}
	return c
}

func coordinate(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }
