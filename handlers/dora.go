package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db/dora"
)

// doraAnswer is the answer of GET /dora. What is undefined is null.
type doraAnswer struct {
	From   *string  `json:"from"`
	To     *string  `json:"to"`
	TZ     string   `json:"tz"`
	Bands  bands    `json:"bands"`
	Groups []object `json:"groups"`
}

// bands is the report that the levels come from.
type bands struct {
	Year   int    `json:"year"`
	Report string `json:"report"`
	Source string `json:"source"`
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for _, part := range []any{m.name, m.value} {
			text, err := json.Marshal(part)
			if err != nil {
				return nil, err
			}
			b.Write(text)
			b.WriteByte(':')
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// showFigures returns a member for each row of the table of figures.
func showFigures(t dora.Totals, b dora.Bands) object {
	var o object
	for _, f := range dora.Figures() {
		o = append(o, member{string(f.Name), showFigure(f, t, b)})
	}
	return o
}

// showFigure returns a figure as the API shows its kind.
func showFigure(f dora.Figure, t dora.Totals, b dora.Bands) any {
	v := f.Value(t)
	level := member{"level", showText(string(b.Level(f.Name, v)))}
	switch f.Kind {
	case dora.Frequency:
		return object{
			{"deployments", v.Count}, {"per_day", v.PerDay()}, {"days_with_deployment", v.Days}, level,
		}
	case dora.Ratio:
		return object{
			{"ratio", showNumber(v.Ratio())}, {f.PartName, v.Count}, {"deployments", v.Whole}, level,
		}
	case dora.Duration:
		defined := v.Samples > 0
		return object{
			{"p50_seconds", showNumber(v.P50.Seconds(), defined)}, {"p90_seconds", showNumber(v.P90.Seconds(), defined)},
			{"mean_seconds", showNumber(v.Mean.Seconds(), defined)}, {"samples", v.Samples}, level,
		}
	}
	return v.Count
}

func showNumber(n float64, defined bool) *float64 {
	if !defined {
		return nil
	}
	return &n
}

// dora serves GET /dora: 200 with the figures of a window as JSON or CSV, 400 for
// bad parameters.
func (a *api) dora(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	dq := a.doraQuery(q)
	dq.GroupBy, dq.Interval = q.groupBy(), q.interval()
	b, format := q.bands(), q.format(r)
	if err := q.err(); err != nil {
		return err
	}
	groups, err := a.Store.Dora(r.Context(), dq)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	if format == "csv" {
		return writeDoraCSV(w, groups, dq, b)
	}
	return writeJSON(w, http.StatusOK, showDora(groups, dq, b))
}

func showDora(groups []dora.Group, q dora.Query, b dora.Bands) doraAnswer {
	answer := doraAnswer{
		From: showTime(q.From), To: showTime(q.To), TZ: q.Location.String(),
		Bands: showBands(b), Groups: make([]object, len(groups)),
	}
	for i, g := range groups {
		answer.Groups[i] = showGroup(g, q, b)
	}
	return answer
}

// showGroup returns a group with its figures. Labels that it was not grouped
// by are null, and so is an unknown team.
func showGroup(g dora.Group, q dora.Query, b dora.Bands) object {
	shown := object{
		{"project_id", showText(g.Project)}, {"team_id", showText(g.Team)}, {"environment", showText(g.Environment)},
	}
	shown = append(shown, showFigures(g.Totals, b)...)
	var series []object
	for _, bucket := range g.Series {
		dates := object{{"from", showDate(bucket.From, q.Location)}, {"to", showDate(bucket.To, q.Location)}}
		series = append(series, append(dates, showFigures(bucket.Totals, b)...))
	}
	if len(series) > 0 {
		shown = append(shown, member{"series", series})
	}
	return shown
}

func showBands(b dora.Bands) bands { return bands{Year: b.Year, Report: b.Report, Source: b.Source} }
