package handlers

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db/dora"
)

// bands is the report that the levels come from. The answers of the survey have no
// year.
type bands struct {
	Year   *int   `json:"year"`
	Report string `json:"report"`
	Source string `json:"source"`
}

func showBands(b dora.Bands) bands {
	shown := bands{Report: b.Report, Source: b.Source}
	if b.Year != 0 {
		shown.Year = &b.Year
	}
	return shown
}

// dora serves GET /dora: 200 with the figures of a window as JSON or CSV, 400 for
// bad parameters, 422 for more groups or intervals than there may be.
func (a *api) dora(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	dq := a.doraQuery(q)
	dq.GroupBy, dq.Interval = q.groupBy(), q.interval()
	b, format := q.bands(), q.format(r, "json", "csv")
	if err := q.err(); err != nil {
		return err
	}
	answer := func(w http.ResponseWriter) error {
		groups, err := a.Store.Dora(r.Context(), dq.Query)
		if err != nil {
			return err
		}
		w.Header().Set("Vary", "Accept")
		if format == "csv" {
			return writeDoraCSV(w, groups, dq.Query, b)
		}
		return writeDoraJSON(w, groups, dq.Query, b, dq.production)
	}
	if dq.GroupBy == (dora.GroupBy{}) && dq.Interval == dora.NoInterval {
		return answer(w)
	}
	return a.gates.series.serve(w, r, answer)
}
