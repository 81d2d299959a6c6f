package handlers

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

// badge is a small picture for a README: a name, a value and a colour that
// stands for the level.
type badge struct {
	Label, Value, Title string
	LabelWidth, Width   int
	Fill                string
}

// badgeSVG is the picture. Its text is set in a length that was reckoned for a
// common font; textLength keeps it there in any other.
const badgeSVG = `<svg xmlns="http://www.w3.org/2000/svg" ` +
	`width="{{.Width}}" height="20" role="img" aria-label="{{.Label}}: {{.Value}}">` +
	`<title>{{.Title}}</title>` +
	`<clipPath id="r"><rect width="{{.Width}}" height="20" rx="4"/></clipPath>` +
	`<g clip-path="url(#r)"><rect width="{{.LabelWidth}}" height="20" fill="#3b4252"/>` +
	`<rect x="{{.LabelWidth}}" width="{{.ValueWidth}}" height="20" fill="{{.Fill}}"/></g>` +
	`<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle">` +
	`<text x="{{.LabelMiddle}}" y="14" textLength="{{.LabelText}}">{{.Label}}</text>` +
	`<text x="{{.ValueMiddle}}" y="14" textLength="{{.ValueText}}">{{.Value}}</text></g></svg>` + "\n"

const badgePadding = 7

// ValueWidth is the width of the right half.
func (b badge) ValueWidth() int { return b.Width - b.LabelWidth }

// LabelMiddle is where the middle of the left text stands.
func (b badge) LabelMiddle() float64 { return float64(b.LabelWidth) / 2 }

// ValueMiddle is where the middle of the right text stands.
func (b badge) ValueMiddle() float64 { return float64(b.LabelWidth) + float64(b.ValueWidth())/2 }

// LabelText is the width of the left text.
func (b badge) LabelText() int { return b.LabelWidth - 2*badgePadding }

// ValueText is the width of the right text.
func (b badge) ValueText() int { return b.ValueWidth() - 2*badgePadding }

func newBadge(label, value, title string, level *string) badge {
	b := badge{Label: label, Value: value, Title: title, LabelWidth: textWidth(label) + 2*badgePadding}
	b.Width = b.LabelWidth + textWidth(value) + 2*badgePadding
	switch db.Level(csvText(level)) { // all give white text a contrast of at least 4.5
	case db.Elite:
		b.Fill = "#1a7f5a"
	case db.High:
		b.Fill = "#2f6fb5"
	case db.Medium:
		b.Fill = "#8f6400"
	case db.Low:
		b.Fill = "#b3403c"
	default:
		b.Fill = "#5f6b7a"
	}
	return b
}

// textWidth reckons how wide a text is in Verdana at 11 pixels.
func textWidth(text string) int {
	width := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijl.,:' ", r):
			width += 3.9
		case strings.ContainsRune("mw%MW", r):
			width += 10
		default:
			width += 6.9
		}
	}
	return int(width + 0.5)
}

// badge answers GET /badge/<metric>.svg. A README shows the picture to people
// who have no credential, so it is open to whom /metrics is.
func (a *api) badge(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	file, err := url.PathUnescape(p.ByName("file"))
	name, ok := strings.CutSuffix(file, ".svg")
	metric := db.Metric(name)
	if err != nil || !ok || metricTitle(metric) == "" {
		return notFound(fmt.Sprintf("there is no badge at %s: its name is <metric>.svg with one of %s", r.URL.Path, metricNames()))
	}
	q := parseQuery(r)
	dq, b := a.doraQuery(q), q.bands()
	if err := q.err(); err != nil {
		return err
	}
	groups, err := a.Store.Dora(r.Context(), dq)
	if err != nil {
		return err
	}
	value, level := headline(showFigures(groups[0].Dora, b), metric, dq.To.Sub(dq.From))
	title := fmt.Sprintf("%s of %s, %s to %s: %s", metricTitle(metric), whose(dq.DoraFilter),
		dq.From.In(dq.Location).Format(time.DateOnly), dq.To.In(dq.Location).Format(time.DateOnly), value)
	if level != nil {
		title += fmt.Sprintf(" (%s, by the bands of %s)", *level, b.Report)
	}
	var svg bytes.Buffer
	if err := a.views.badge.Execute(&svg, newBadge(strings.ToLower(metricTitle(metric)), value, title, level)); err != nil {
		return fmt.Errorf("draw a badge: %w", err)
	}
	w.Header().Set("Content-Type", "image/svg+xml; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(svg.Bytes()) // a client that has gone cannot be told
	return nil
}

// whose says in words what a filter lets through.
func whose(f db.DoraFilter) string {
	words := "all projects"
	if f.Project != "" {
		words = f.Project
	}
	if f.Team != "" {
		words += ", team " + f.Team
	}
	if f.Environment != "" {
		words += ", " + f.Environment
	}
	return words
}

// metricTitle is the name of a metric for people, empty when there is no such
// metric.
func metricTitle(m db.Metric) string {
	return map[db.Metric]string{
		db.DeploymentFrequency:          "Deployment frequency",
		db.ChangeLeadTime:               "Change lead time",
		db.ChangeFailureRate:            "Change failure rate",
		db.FailedDeploymentRecoveryTime: "Failed deployment recovery time",
		db.DeploymentReworkRate:         "Deployment rework rate",
		db.DeploymentDuration:           "Deployment duration",
		db.UnfinishedDeployments:        "Unfinished deployments",
		db.TimeToRestore:                "Time to restore",
		db.TimeToDetect:                 "Time to detect",
		db.Incidents:                    "Incidents",
		db.OpenIncidents:                "Open incidents",
	}[m]
}

// headline is the one value of a metric that a person wants to see, and its
// level.
func headline(f figures, m db.Metric, window time.Duration) (value string, level *string) {
	switch shown := f.of(m).(type) {
	case frequency:
		return showRate(shown.Deployments, window), shown.Level
	case durations:
		return showDuration(shown.P50), shown.Level
	case failures:
		return showRatio(shown.Ratio), shown.Level
	case rework:
		return showRatio(shown.Ratio), shown.Level
	case int64:
		return strconv.FormatInt(shown, 10), nil
	}
	return noData, nil
}

// noData stands for what is undefined.
const noData = "no data"

// showRate says how often in the unit that gives a number people can imagine.
func showRate(count int64, window time.Duration) string {
	perDay := float64(count) / (window.Hours() / 24)
	switch {
	case count == 0:
		return "none"
	case perDay >= 1:
		return short(perDay) + " a day"
	case perDay*7 >= 1:
		return short(perDay*7) + " a week"
	case perDay*365/12 >= 1:
		return short(perDay*365/12) + " a month"
	}
	return short(perDay*365) + " a year"
}

func showRatio(ratio *float64) string {
	if ratio == nil {
		return noData
	}
	return strconv.FormatFloat(*ratio*100, 'f', 1, 64) + " %"
}

// showDuration writes seconds in the unit that people would use.
func showDuration(seconds *float64) string {
	if seconds == nil {
		return noData
	}
	const minute, hour, day = 60, 3600, 86400
	switch s := *seconds; {
	case s < minute:
		return short(s) + " s"
	case s < hour:
		return short(s/minute) + " min"
	case s < 2*day:
		return short(s/hour) + " h"
	default:
		return short(s/day) + " days"
	}
}

// short writes a number with at most three digits that matter.
func short(n float64) string {
	precision := 2
	switch {
	case n >= 100:
		precision = 0
	case n >= 10:
		precision = 1
	}
	text := strconv.FormatFloat(n, 'f', precision, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// clip shortens a long name for a narrow place.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
