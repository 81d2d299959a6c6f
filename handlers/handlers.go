// Package handlers is the HTTP API: a handler decodes and validates a request,
// calls the store and writes the response.
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
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/handlers/catalog"
	"github.com/em-metrics/em-metrics/handlers/page"
)

// Options configures the API. Store is required, and so is a credential unless
// Auth.Disabled is set; everything else has a default.
type Options struct {
	// Store holds the deployments and incidents.
	Store *db.Store
	// Metrics serves GET /metrics. If it is nil, the route responds with 404.
	Metrics http.Handler
	// Meter records the duration of requests. If it is nil, nothing is recorded.
	Meter metric.Meter
	// Catalog finds the team of a project or user. If it is nil, there are no
	// teams.
	Catalog *catalog.Catalog
	// Production returns the environments that count as production, none if that is
	// not known: the figures are then those of all environments. It may be nil.
	Production func() dora.Environments
	// Auth holds the credentials that clients must send.
	Auth Auth
	// Environment is the default for requests that name none. Empty means
	// NO_ENV.
	Environment string
	// Build is the response of GET /version.
	Build Build
	// Logger receives one line per request. Nil means [slog.Default].
	Logger *slog.Logger
}

// Build identifies the running version.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
}

// prefix is the path under which every route is served a second time.
const prefix = "/api/v1"

// api holds what the handlers share.
type api struct {
	Options
	requests  requestDurations
	pages     *page.Renderer
	readiness readiness
	gates     gates
}

// handler serves one route. It either writes a response or returns an error,
// which [api.fail] turns into one.
type handler func(w http.ResponseWriter, r *http.Request, p httprouter.Params) error

// route is a row of the routing table.
type route struct {
	method string
	path   string
	serve  handler
	access access
}

// routes is the routing table.
func (a *api) routes() []route {
	return []route{
		{http.MethodPost, "/deployments", a.startDeployment, credentialAccess},
		{http.MethodGet, "/deployments", a.listDeployments, credentialAccess},
		{http.MethodGet, "/deployments/:id", a.getDeployment, credentialAccess},
		{http.MethodPost, "/deployments/:id/deployed", a.finishDeployment, credentialAccess},
		{http.MethodPost, "/deployments/:id/aborted", a.abortDeployment, credentialAccess},
		{http.MethodPost, "/incidents", a.openIncident, credentialAccess},
		{http.MethodGet, "/incidents", a.listIncidents, credentialAccess},
		{http.MethodGet, "/incidents/:id", a.getIncident, credentialAccess},
		{http.MethodPost, "/incidents/:id/restored", a.restoreIncident, credentialAccess},
		{http.MethodPost, "/incidents/:id/finished", a.finishIncident, credentialAccess},
		{http.MethodGet, "/metrics", a.metrics, metricsAccess},
		{http.MethodGet, "/", a.forBrowsers("?", a.home), browserAccess},
		{http.MethodGet, "/dora", a.dora, credentialAccess},
		{http.MethodGet, "/dora/explain", a.forBrowsers("../", a.explain), credentialAccess},
		{http.MethodGet, "/badge/:file", a.badge, metricsAccess},
		{http.MethodGet, "/config", a.config, credentialAccess},
		{http.MethodGet, "/version", a.version, credentialAccess},
		{http.MethodGet, "/openapi.yaml", a.openAPI, credentialAccess},
		{http.MethodGet, "/health", a.health, publicAccess},
		{http.MethodGet, "/ready", a.ready, publicAccess},
	}
}

// New returns the API. Every route is served at the root and under /api/v1, the
// prefix that clients of the older service use. The handler is safe for
// concurrent use and starts nothing that outlives a request.
func New(o Options) (http.Handler, error) {
	if o.Store == nil {
		return nil, errors.New("create the API: a store is required")
	}
	if err := o.Auth.check(); err != nil {
		return nil, fmt.Errorf("create the API: %w", err)
	}
	if o.Meter == nil {
		o.Meter = noop.Meter{}
	}
	if o.Catalog == nil {
		o.Catalog = &catalog.Catalog{}
	}
	if o.Production == nil {
		o.Production = func() dora.Environments { return nil }
	}
	if o.Environment == "" {
		o.Environment = "NO_ENV"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	requests, err := newRequestDurations(o.Meter)
	if err != nil {
		return nil, fmt.Errorf("create the API: %w", err)
	}
	pages, err := newPages(o)
	if err != nil {
		return nil, fmt.Errorf("create the API: %w", err)
	}
	a := &api{Options: o, requests: requests, pages: pages, gates: newGates()}
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
			serve := a.instrument(pattern, a.sameOrigin(a.authorize(rt.access, rt.serve)))
			router.Handle(rt.method, pattern, serve)
			if rt.method == http.MethodGet {
				router.Handle(http.MethodHead, pattern, serve)
			}
		}
	}
	router.NotFound = a.fallback(func(_ http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
		return notFound(db.Excerpt(r.URL.Path) + " does not exist; see /openapi.yaml for the routes")
	})
	router.MethodNotAllowed = a.fallback(func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
		// The router always lists OPTIONS, which is not served.
		methods := strings.Split(w.Header().Get("Allow"), ", ")
		methods = slices.DeleteFunc(methods, func(m string) bool { return m == http.MethodOptions })
		allowed := strings.Join(methods, ", ")
		w.Header().Set("Allow", allowed)
		return methodNotAllowed(db.Excerpt(r.Method), allowed)
	})
	return matchEscaped(router)
}

// fallback serves requests that no route matches. It requires a credential, so
// that clients without one cannot discover which paths exist.
func (a *api) fallback(serve handler) http.Handler {
	instrumented := a.instrument("", a.sameOrigin(a.authorize(credentialAccess, serve)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { instrumented(w, r, nil) })
}

// matchEscaped routes by the escaped path, so that an id may contain an escaped
// slash. [pathID] unescapes it.
func matchEscaped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := *r
		escaped.URL = &url.URL{Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery}
		next.ServeHTTP(w, &escaped)
	})
}

// pathID returns the id in the path.
func pathID(p httprouter.Params) (string, error) {
	id, err := url.PathUnescape(p.ByName("id"))
	if err != nil {
		return "", badRequest(fieldError{"id", "is not a valid URL path segment; escape % as %25"})
	}
	var f fields
	f.name("id", id)
	return id, f.err()
}

// metrics serves GET /metrics: 200 with all series in the format that Accept
// asks for, 503 until every stored event has been applied and if too many are
// asked for at once, 404 if the process exposes no metrics.
func (a *api) metrics(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	if a.Metrics == nil {
		return notFound("/metrics is not served by this process")
	}
	g := a.gates.expositions
	if r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds") != "" {
		g = a.gates.scrapes
	}
	return g.serve(w, r, func(w http.ResponseWriter) error {
		a.Metrics.ServeHTTP(w, r)
		return nil
	})
}

// config serves GET /config: 200 with the content of the CONFIG file in use.
func (a *api) config(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	return writeJSON(w, http.StatusOK, a.Catalog)
}

// version serves GET /version: 200 with the version, revision and Go version of
// the build.
func (a *api) version(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	return writeJSON(w, http.StatusOK, a.Build)
}

// String returns the build on one line.
func (b Build) String() string {
	s := "em-metrics " + b.Version
	if b.Revision != "" {
		s += " (" + b.Revision + ")"
	}
	return s + " " + b.Go
}
