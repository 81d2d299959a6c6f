package handlers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/em-metrics/em-metrics/db/dora"
)

// flushAt is how many bytes of a long answer are encoded before they are sent.
const flushAt = 32 << 10

// doraEncoder writes the answer of GET /dora, whose groups follow the table of
// figures. It encodes and sends one group or interval after the other, because an
// answer may be much larger than what it is computed from. What is undefined is
// null.
type doraEncoder struct {
	w       http.ResponseWriter
	text    []byte // not sent yet
	figures []dora.Figure
	query   dora.Query
	bands   dora.Bands
	// The environments that were looked at because they count as production.
	production dora.Environments
}

// writeDoraJSON writes the groups of a query, which looks at production if that is
// not empty.
func writeDoraJSON(w http.ResponseWriter, groups []dora.Group, q dora.Query, b dora.Bands, production dora.Environments) error {
	head, err := json.Marshal(struct {
		From       *string           `json:"from"`
		To         *string           `json:"to"`
		TZ         string            `json:"tz"`
		Bands      bands             `json:"bands"`
		Production dora.Environments `json:"production,omitempty"`
	}{showTime(q.From), showTime(q.To), q.Location.String(), showBands(b), production})
	if err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	e := doraEncoder{w: w, text: make([]byte, 0, 2*flushAt), figures: dora.Figures(), query: q, bands: b, production: production}
	e.text = append(e.text, head[:len(head)-1]...) // without the closing brace
	e.text = append(e.text, `,"groups":[`...)
	for i, g := range groups {
		e.comma(i)
		if !e.group(g) {
			return nil
		}
	}
	e.text = append(e.text, "]}\n"...)
	e.flush(0)
	return nil
}

// flush sends the text if it is longer than that, and reports whether the client
// is still there.
func (e *doraEncoder) flush(longerThan int) bool {
	if len(e.text) <= longerThan {
		return true
	}
	_, err := e.w.Write(e.text)
	e.text = e.text[:0]
	return err == nil
}

func (e *doraEncoder) comma(i int) {
	if i > 0 {
		e.text = append(e.text, ',')
	}
}

// group writes a group with its figures. Labels that it was not grouped by are
// null, and so is an unknown team.
func (e *doraEncoder) group(g dora.Group) bool {
	e.text = append(e.text, `{"project_id":`...)
	e.text = appendText(e.text, g.Project)
	e.text = append(e.text, `,"team_id":`...)
	e.text = appendText(e.text, g.Team)
	e.text = append(e.text, `,"environment":`...)
	e.text = appendText(e.text, g.Environment)
	e.text = append(e.text, `,"mixed_environments":`...)
	e.text = strconv.AppendBool(e.text, g.MixedEnvironments && len(e.production) == 0)
	e.addFigures(g.Totals, func(f dora.Figure) dora.Rating { return e.bands.Rate(f, g) })
	for i, bucket := range g.Series {
		if i == 0 {
			e.text = append(e.text, `,"series":[`...)
		}
		e.comma(i)
		e.text = append(e.text, `{"from":"`+*showDate(bucket.From, e.query.Location)...)
		e.text = append(e.text, `","to":"`+*showDate(bucket.To, e.query.Location)+`"`...)
		e.addFigures(bucket.Totals, func(f dora.Figure) dora.Rating {
			return dora.Rating{Level: e.bands.RateTotals(f, g, bucket.Totals)}
		})
		e.text = append(e.text, '}')
		if !e.flush(flushAt) {
			return false
		}
	}
	if len(g.Series) > 0 {
		e.text = append(e.text, ']')
	}
	e.text = append(e.text, '}')
	return e.flush(flushAt)
}

// addFigures appends a member for each figure.
func (e *doraEncoder) addFigures(t dora.Totals, rate func(dora.Figure) dora.Rating) {
	for _, f := range e.figures {
		e.text = append(e.text, `,"`+f.Name+`":`...) // names have nothing to escape
		e.text = appendFigure(e.text, f, t, rate(f))
	}
}

// appendFigure appends the JSON value of a figure, which its kind determines.
func appendFigure(text []byte, f dora.Figure, t dora.Totals, r dora.Rating) []byte {
	v := f.Value(t)
	switch f.Kind {
	case dora.Frequency:
		text = appendInt(text, `{"deployments":`, v.Count)
		text = appendNumber(text, `,"per_day":`, v.PerDay(), true)
		text = appendInt(text, `,"days_with_deployment":`, v.Days)
	case dora.Ratio:
		ratio, defined := v.Ratio()
		text = appendNumber(text, `{"ratio":`, ratio, defined)
		text = appendInt(text, `,"`+f.PartName+`":`, v.Count)
		text = appendInt(text, `,"deployments":`, v.Whole)
		if f.Name == dora.ChangeFailureRate {
			text = appendInt(text, `,"unlinked_incidents":`, v.Unlinked)
		}
	case dora.Duration:
		defined := v.Samples > 0
		text = appendNumber(text, `{"p50_seconds":`, v.P50.Seconds(), defined)
		text = appendNumber(text, `,"p90_seconds":`, v.P90.Seconds(), defined)
		text = appendNumber(text, `,"mean_seconds":`, v.Mean.Seconds(), defined)
		text = appendInt(text, `,"samples":`, v.Samples)
	default:
		return appendInt(text, "", v.Count)
	}
	return append(appendRating(text, r), '}')
}

// appendRating appends the level, and the number of applications at each if there
// are several.
func appendRating(text []byte, r dora.Rating) []byte {
	text = appendText(append(text, `,"level":`...), string(r.Level))
	for i, count := range r.Levels {
		text = append(text, map[bool]string{true: `,"levels":{"`, false: `,"`}[i == 0]...)
		text = append(text, cmp.Or(count.Level, "none")...) // levels have nothing to escape
		text = appendInt(text, `":`, count.Applications)
	}
	if len(r.Levels) > 0 {
		text = append(text, '}')
	}
	return text
}

func appendInt(text []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(text, name...), n, 10)
}

// appendNumber appends a number as encoding/json does, which writes very small and
// very large ones in another form, or null.
func appendNumber(text []byte, name string, n float64, defined bool) []byte {
	text = append(text, name...)
	switch size := math.Abs(n); {
	case !defined:
		return append(text, "null"...)
	case size != 0 && (size < 1e-6 || size >= 1e21):
		return appendMarshaled(text, n)
	}
	return strconv.AppendFloat(text, n, 'f', -1, 64)
}

// appendText appends a text, or null if it is empty.
func appendText(text []byte, s string) []byte { return appendMarshaled(text, showText(s)) }

func appendMarshaled(text []byte, value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil { // such as infinity
		return append(text, "null"...)
	}
	return append(text, encoded...)
}

func showNumber(n float64, defined bool) *float64 {
	if !defined {
		return nil
	}
	return &n
}
