package handlers

import (
	"encoding/json"
	"net/http"
	"strconv"

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
func (o object) MarshalJSON() ([]byte, error) { return appendJSON(nil, o) }

// appendJSON appends a value to a text. It writes nested objects in place,
// because encoding/json would copy and check them again at every level.
func appendJSON(text []byte, value any) (_ []byte, err error) {
	switch v := value.(type) {
	case object:
		text = append(text, '{')
		for i, m := range v {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, `"`+m.name+`":`...) // names have nothing to escape
			if text, err = appendJSON(text, m.value); err != nil {
				return nil, err
			}
		}
		return append(text, '}'), nil
	case []object:
		text = append(text, '[')
		for i, o := range v {
			if i > 0 {
				text = append(text, ',')
			}
			if text, err = appendJSON(text, o); err != nil {
				return nil, err
			}
		}
		return append(text, ']'), nil
	case int64:
		return strconv.AppendInt(text, v, 10), nil
	}
	encoded, err := json.Marshal(value)
	return append(text, encoded...), err
}

// frequency is a figure of the kind [dora.Frequency].
type frequency struct {
	Deployments        int64   `json:"deployments"`
	PerDay             float64 `json:"per_day"`
	DaysWithDeployment int64   `json:"days_with_deployment"`
	Level              *string `json:"level"`
}

// durations is a figure of the kind [dora.Duration].
type durations struct {
	P50     *float64 `json:"p50_seconds"`
	P90     *float64 `json:"p90_seconds"`
	Mean    *float64 `json:"mean_seconds"`
	Samples int64    `json:"samples"`
	Level   *string  `json:"level"`
}

// showFigures returns a member for each figure.
func showFigures(figures []dora.Figure, t dora.Totals, b dora.Bands) object {
	shown := make(object, len(figures))
	for i, f := range figures {
		shown[i] = member{string(f.Name), showFigure(f, t, b)}
	}
	return shown
}

// showFigure returns the JSON value of a figure, which its kind determines.
func showFigure(f dora.Figure, t dora.Totals, b dora.Bands) any {
	v := f.Value(t)
	level := showText(string(b.Level(f.Name, v)))
	switch f.Kind {
	case dora.Frequency:
		return frequency{Deployments: v.Count, PerDay: v.PerDay(), DaysWithDeployment: v.Days, Level: level}
	case dora.Ratio:
		return object{
			{"ratio", showNumber(v.Ratio())}, {f.PartName, v.Count}, {"deployments", v.Whole}, {"level", level},
		}
	case dora.Duration:
		defined := v.Samples > 0
		return durations{
			P50: showNumber(v.P50.Seconds(), defined), P90: showNumber(v.P90.Seconds(), defined),
			Mean: showNumber(v.Mean.Seconds(), defined), Samples: v.Samples, Level: level,
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
	figures := dora.Figures()
	for i, g := range groups {
		answer.Groups[i] = showGroup(figures, g, q, b)
	}
	return answer
}

// showGroup returns a group with its figures. Labels that it was not grouped
// by are null, and so is an unknown team.
func showGroup(figures []dora.Figure, g dora.Group, q dora.Query, b dora.Bands) object {
	shown := object{
		{"project_id", showText(g.Project)}, {"team_id", showText(g.Team)}, {"environment", showText(g.Environment)},
	}
	shown = append(shown, showFigures(figures, g.Totals, b)...)
	var series []object
	for _, bucket := range g.Series {
		dates := object{{"from", showDate(bucket.From, q.Location)}, {"to", showDate(bucket.To, q.Location)}}
		series = append(series, append(dates, showFigures(figures, bucket.Totals, b)...))
	}
	if len(series) > 0 {
		shown = append(shown, member{"series", series})
	}
	return shown
}

func showBands(b dora.Bands) bands { return bands{Year: b.Year, Report: b.Report, Source: b.Source} }
