package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/em-metrics/em-metrics/db/dora"
)

// chart is a small chart of a series: bars for counts and ratios, a line for
// durations. What is of an interval that the window cuts off is incomplete.
type chart struct {
	Label string
	Bars  []bar
	Lines []line
}

type bar struct {
	X, Y, Width, Height string
	IsIncomplete        bool
}

type line struct {
	Points       string
	IsIncomplete bool
}

const chartWidth, chartHeight = 300.0, 56.0

// bucket is an interval of the trend.
type bucket struct {
	dora.Bucket
	isIncomplete bool
}

// buckets returns the intervals of a series, whose length is that of a trend.
func (q Query) buckets(series []dora.Bucket) []bucket {
	found, interval := make([]bucket, len(series)), trendInterval(q.Length())
	for i, b := range series {
		found[i] = bucket{b, !interval.IsWhole(b, q.Location)}
	}
	return found
}

// newChart plots the series of a figure. Total is its value over the whole window.
func newChart(series []bucket, f dora.Figure, total string) chart {
	c := chart{Label: fmt.Sprintf("Trend of %s over %d intervals%s; whole window: %s",
		strings.ToLower(f.Title), len(series), describeIncomplete(series), total)}
	maximum := 0.0
	for _, b := range series {
		n, _ := f.Number(f.Value(b.Totals))
		maximum = math.Max(maximum, n)
	}
	if maximum == 0 {
		return c
	}
	step := chartWidth / float64(len(series))
	var points []point
	for i, b := range series {
		n, ok := f.Number(f.Value(b.Totals))
		if !ok {
			continue
		}
		height := n / maximum * (chartHeight - 4)
		x, y := float64(i)*step, chartHeight-1-height
		if f.Kind == dora.Duration {
			points = append(points, point{coordinate(x+step/2) + "," + coordinate(y), b.isIncomplete})
			continue
		}
		c.Bars = append(c.Bars, bar{coordinate(x + step*0.15), coordinate(y), coordinate(step * 0.7), coordinate(height), b.isIncomplete})
	}
	c.Lines = newLines(points)
	return c
}

// point is a point of a line.
type point struct {
	at           string // its coordinates
	isIncomplete bool
}

// newLines connects points. A part of the line that begins or ends at an incomplete
// one is incomplete.
func newLines(points []point) (lines []line) {
	if len(points) == 1 { // a line of a single point would be invisible
		_, y, _ := strings.Cut(points[0].at, ",")
		return []line{{"0," + y + " " + coordinate(chartWidth) + "," + y, points[0].isIncomplete}}
	}
	for i := 1; i < len(points); i++ {
		isIncomplete := points[i-1].isIncomplete || points[i].isIncomplete
		if last := len(lines) - 1; last >= 0 && lines[last].IsIncomplete == isIncomplete {
			lines[last].Points += " " + points[i].at
			continue
		}
		lines = append(lines, line{points[i-1].at + " " + points[i].at, isIncomplete})
	}
	return lines
}

// describeIncomplete says which intervals of a series are incomplete.
func describeIncomplete(series []bucket) string {
	if len(series) == 0 {
		return ""
	}
	switch first, last := series[0].isIncomplete, series[len(series)-1].isIncomplete; {
	case len(series) == 1 && first:
		return ", which is incomplete"
	case first && last:
		return ", of which the first and the last are incomplete"
	case first:
		return ", of which the first is incomplete"
	case last:
		return ", of which the last is incomplete"
	}
	return ""
}

func coordinate(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }
