package page

import (
	"html/template"
	"strconv"

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
	series := q.buckets(now.Series)
	for _, f := range q.Bands.Keys() {
		current, earlier := newRatedFigure(f, now, q.Bands), newFigure(f, before)
		views = append(views, keyView{
			figure: current, Title: f.Title, About: f.About,
			Trend: compare(f, now.Totals, before, earlier.Full()), Explain: q.evidence(f.Name),
			Chart: newChart(series, f, current.Value),
		})
	}
	return views
}

// compare describes how a key changed since the previous window.
func compare(f dora.Figure, now, before dora.Totals, was string) string {
	switch f.Compare(f.Value(now), f.Value(before)) {
	case dora.Unchanged:
		return "Unchanged"
	case dora.WithinChance:
		return "Was " + was + ": within chance"
	case dora.Better:
		return "Better: was " + was
	case dora.Worse:
		return "Worse: was " + was
	}
	return "Previously: " + was
}

// trendRow is one interval of the trends, the text alternative to the charts.
type trendRow struct {
	From         string
	IsIncomplete bool
	Values       []string
}

func newTrendRows(series []dora.Bucket, q Query) []trendRow {
	keys := q.Bands.Keys() // once, because there may be hundreds of rows
	rows := make([]trendRow, 0, len(series))
	for _, bucket := range q.buckets(series) {
		row := trendRow{From: bucket.From.In(q.Location).Format("2 Jan 2006"), IsIncomplete: bucket.isIncomplete}
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
