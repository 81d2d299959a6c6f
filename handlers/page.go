package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	return page.New(page.Options{Store: o.Store, Build: o.Build.String(), Credential: credential, Production: o.Production})
}

// home serves GET /: 200 with the figures as an HTML page, 400 for bad
// parameters. Empty parameters are ignored.
func (a *api) home(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	for name, values := range q.values { // a form sends empty fields too
		if !slices.ContainsFunc(values, func(v string) bool { return v != "" }) {
			delete(q.values, name)
		}
	}
	shown := a.pageQuery(q)
	shown.Sort = q.choice("sort", "", page.Sorts()...)
	if err := q.err(); err != nil {
		return err
	}
	return a.pages.Page(w, r, shown)
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
