package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/handlers/page"
)

// newPages returns the renderer of the page and the badges.
func newPages(o Options) (*page.Renderer, error) {
	credential := page.Password
	switch {
	case o.Auth.Disabled:
		credential = page.NoCredential
	case o.Auth.Token != "":
		credential = page.Token
	}
	return page.New(page.Options{Store: o.Store, Build: o.Build.String(), Credential: credential, Production: o.Production, FormatCursor: formatCursor})
}

// home serves GET /: 200 with the figures as an HTML page, or one of its tables as
// CSV, 400 for bad parameters. Empty parameters are ignored.
func (a *api) home(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	isKiosk := q.isSet("kiosk")
	q.ignoreEmpty()
	shown := a.pageQuery(q)
	shown.Sort, shown.Refresh, shown.IsKiosk = q.choice("sort", "", page.Sorts()...), q.refresh(), isKiosk
	format, table := q.choice("format", "html", "html", "csv"), q.choice("table", "projects", page.Tables()...)
	if err := q.err(); err != nil {
		return err
	}
	if format == "csv" {
		return a.gates.series.serve(w, r, func(w http.ResponseWriter) error { return a.writeTable(w, r, shown, table) })
	}
	return a.pages.Page(w, r, shown)
}

// writeTable writes a table of the page as CSV.
func (a *api) writeTable(w http.ResponseWriter, r *http.Request, q page.Query, name string) error {
	header, rows, err := a.pages.Table(r.Context(), q, name)
	if err != nil {
		return err
	}
	return writeCSV(w, name+".csv", header, func(yield func([]string) bool) {
		for _, row := range rows {
			row[0], row[1] = csvCell(row[0]), csvCell(row[1]) // the others are ours
			if !yield(row) {
				return
			}
		}
	})
}

// ignoreEmpty removes empty parameters, because a form sends empty fields too.
func (q *query) ignoreEmpty() {
	for name, values := range q.values {
		if !slices.ContainsFunc(values, func(v string) bool { return v != "" }) {
			delete(q.values, name)
		}
	}
}

// isSet reports whether a parameter is there, without a value or as true.
func (q *query) isSet(name string) bool {
	if values := q.values[name]; len(values) == 1 && values[0] == "" {
		return true
	}
	return q.choice(name, "false", "true", "false") == "true"
}

// refresh reads how often a browser loads the page again, zero for never.
func (q *query) refresh() time.Duration {
	const least, most = 10 * time.Second, time.Hour
	value := q.text("refresh")
	if value == "" {
		return 0
	}
	every, err := time.ParseDuration(value)
	if err != nil || every < least || every > most || every%time.Second != 0 {
		q.add("refresh", "is %s: send whole seconds or minutes from 10s to 1h, such as 60s", db.Quote(value))
		return 0
	}
	return every
}

// wantsPage reports whether a request is that of a browser: it prefers HTML and names
// no other format.
func wantsPage(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "html"
	}
	return preferredFormat(r, "json", "csv", "html") == "html"
}

// forBrowsers shows errors of a handler to browsers as a page. Home is the address of
// the page, relative to the request.
func (a *api) forBrowsers(home string, serve handler) handler {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
		err := serve(w, r, p)
		if err == nil || !wantsPage(r) {
			return err
		}
		shown := problemOf(err)
		shown.home = home
		return shown
	}
}

// writeProblemPage writes a problem as a page, and reports whether it could.
func (a *api) writeProblemPage(w http.ResponseWriter, p *problem) bool {
	shown := page.Problem{Status: p.Status, Title: p.Title, Detail: p.Detail, Docs: p.Type}
	for _, e := range p.Errors {
		shown.Errors = append(shown.Errors, page.FieldError(e))
	}
	return a.pages.Problem(w, shown, p.home) == nil
}

// badge serves GET /badge/<metric>.svg: 200 with a figure as an SVG image, 400
// for bad parameters, 404 for an unknown metric. Readers of a README have no
// credential, so badges are public if metrics are.
func (a *api) badge(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	file, err := url.PathUnescape(p.ByName("file"))
	name, ok := strings.CutSuffix(file, ".svg")
	figure, known := dora.Find(dora.Name(name))
	if err != nil || !ok || !known {
		return notFound(fmt.Sprintf("%s does not exist; badges are named <metric>.svg, with one of %s", db.Excerpt(r.URL.Path), figureNames()))
	}
	q := parseQuery(r)
	shown := a.pageQuery(q)
	if err := q.err(); err != nil {
		return err
	}
	return a.pages.Badge(w, r, figure, shown)
}

func (a *api) pageQuery(q *query) page.Query {
	dq := a.doraQuery(q)
	shown := page.Query{
		Query: dq.Query, Bands: q.bands(), Production: dq.production, Period: dq.period,
		AllEnvironments: q.values.Get("environment") == page.AllEnvironments, Selected: url.Values{},
	}
	for _, name := range []string{"window", "period", "from", "to"} {
		if value := q.values.Get(name); value != "" {
			shown.Selected.Set(name, value)
		}
	}
	return shown
}
