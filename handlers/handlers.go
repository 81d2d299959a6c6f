// Package handlers is the HTTP API: it authenticates a request, decodes and
// validates it, makes one call of the store and writes the answer.
package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers/catalog"
	"github.com/em-metrics/em-metrics/handlers/page"
)

// Options are what the API is made of. Store is required, and so is a
// credential unless Auth.Disabled is set; everything else has a default.
type Options struct {
	// Store keeps what is sent.
	Store *db.Store
	// Metrics answers GET /metrics. Nil answers 404.
	Metrics http.Handler
	// Meter receives the API's own figures. Nil records none.
	Meter metric.Meter
	// Catalog finds the team of a project or user. Nil knows none.
	Catalog *catalog.Catalog
	// Auth says who may call.
	Auth Auth
	// Environment is used where a request names none. Empty means NO_ENV.
	Environment string
	// Build is what GET /version answers.
	Build Build
	// Logger receives one line for each request. Nil means [slog.Default].
	Logger *slog.Logger
}

// Build says which em-metrics this is.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
}

// prefix is where every route exists a second time.
const prefix = "/api/v1"

// api holds what the handlers share.
type api struct {
	Options
	requests requestDurations
	pages    *page.Renderer
}

// handler is one route's function. It either writes an answer or returns the
// error that [api.fail] turns into one.
type handler func(w http.ResponseWriter, r *http.Request, p httprouter.Params) error

// route is a row of the table of routes.
type route struct {
	method string
	path   string
	serve  handler
	access access
}

// routes is the table of everything the API answers.
func (a *api) routes() []route {
	return []route{
		{http.MethodPost, "/deployments", a.startDeployment, protected},
		{http.MethodGet, "/deployments", a.listDeployments, protected},
		{http.MethodGet, "/deployments/:id", a.getDeployment, protected},
		{http.MethodPost, "/deployments/:id/deployed", a.finishDeployment, protected},
		{http.MethodPost, "/incidents", a.openIncident, protected},
		{http.MethodGet, "/incidents", a.listIncidents, protected},
		{http.MethodGet, "/incidents/:id", a.getIncident, protected},
		{http.MethodPost, "/incidents/:id/restored", a.restoreIncident, protected},
		{http.MethodPost, "/incidents/:id/finished", a.finishIncident, protected},
		{http.MethodGet, "/metrics", a.metrics, scraped},
		{http.MethodGet, "/", a.home, browsed},
		{http.MethodGet, "/dora", a.dora, protected},
		{http.MethodGet, "/dora/explain", a.explain, protected},
		{http.MethodGet, "/badge/:file", a.badge, scraped},
		{http.MethodGet, "/config", a.config, protected},
		{http.MethodGet, "/version", a.version, protected},
		{http.MethodGet, "/openapi.yaml", a.openAPI, protected},
		{http.MethodGet, "/health", a.health, public},
		{http.MethodGet, "/ready", a.ready, public},
	}
}

// New makes the API. Every route exists at the root and under /api/v1, the
// prefix that clients of the older service use. The handler may be called
// concurrently; it starts nothing that outlives a request.
func New(o Options) (http.Handler, error) {
	if o.Store == nil {
		return nil, errors.New("make the API: a store is required")
	}
	if err := o.Auth.check(); err != nil {
		return nil, fmt.Errorf("make the API: %w", err)
	}
	if o.Meter == nil {
		o.Meter = noop.Meter{}
	}
	if o.Catalog == nil {
		o.Catalog = &catalog.Catalog{}
	}
	if o.Environment == "" {
		o.Environment = "NO_ENV"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	requests, err := newRequestDurations(o.Meter)
	if err != nil {
		return nil, fmt.Errorf("make the API: %w", err)
	}
	pages, err := newPages(o)
	if err != nil {
		return nil, fmt.Errorf("make the API: %w", err)
	}
	a := &api{Options: o, requests: requests, pages: pages}
	return a.router(), nil
}

func (a *api) router() http.Handler {
	router := httprouter.New()
	router.RedirectTrailingSlash = false
	router.RedirectFixedPath = false
	router.HandleOPTIONS = false
	for _, at := range []string{"", prefix} {
		for _, rt := range a.routes() {
			pattern := at + rt.path
			serve := a.observed(pattern, a.guarded(rt.access, rt.serve))
			router.Handle(rt.method, pattern, serve)
			if rt.method == http.MethodGet {
				router.Handle(http.MethodHead, pattern, serve)
			}
		}
	}
	router.NotFound = a.fallback(func(_ http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
		return notFound(fmt.Sprintf("there is nothing at %s: see /openapi.yaml for what there is", r.URL.Path))
	})
	router.MethodNotAllowed = a.fallback(func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
		// The router names OPTIONS always, and nothing here answers it.
		methods := strings.Split(w.Header().Get("Allow"), ", ")
		methods = slices.DeleteFunc(methods, func(m string) bool { return m == http.MethodOptions })
		allowed := strings.Join(methods, ", ")
		w.Header().Set("Allow", allowed)
		return methodNotAllowed(r.Method, allowed)
	})
	return matchEscaped(router)
}

// fallback serves what no route fits. It asks for a credential first, so that
// a stranger cannot tell which paths exist.
func (a *api) fallback(serve handler) http.Handler {
	observed := a.observed("", a.guarded(protected, serve))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { observed(w, r, nil) })
}

// matchEscaped matches routes against the path as it was sent, so that an id
// may hold an escaped slash. [pathID] undoes the escaping.
func matchEscaped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := *r
		escaped.URL = &url.URL{Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery}
		next.ServeHTTP(w, &escaped)
	})
}

// pathID reads the id in a path.
func pathID(p httprouter.Params) (string, error) {
	id, err := url.PathUnescape(p.ByName("id"))
	if err != nil {
		return "", badRequest(fieldError{"id", "is not a well-formed part of a URL: escape % as %25"})
	}
	var f fields
	f.name("id", id)
	return id, f.err()
}

func (a *api) metrics(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	if a.Metrics == nil {
		return notFound("this process exposes no metrics")
	}
	a.Metrics.ServeHTTP(w, r)
	return nil
}

func (a *api) config(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	return writeJSON(w, http.StatusOK, a.Catalog)
}

func (a *api) version(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	return writeJSON(w, http.StatusOK, a.Build)
}

// String returns the build in one line.
func (b Build) String() string {
	s := "em-metrics " + b.Version
	if b.Revision != "" {
		s += " (" + b.Revision + ")"
	}
	return s + " " + b.Go
}
