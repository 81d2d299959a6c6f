// Package page renders the figures as HTML and SVG.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

//go:embed *.html
var templates embed.FS

//go:embed page.css
var pageCSS string

// Options configures a [Renderer].
type Options struct {
	// Store is the source of all figures.
	Store *db.Store
	// Build identifies the running version in the footer.
	Build string
	// Credential is the kind that the example requests send.
	Credential Credential
	// Production returns the environments that count as production, none if that is
	// not known. It may be nil.
	Production func() dora.Environments
	// FormatCursor returns the parameter cursor of a page of evidence.
	FormatCursor func(db.Cursor) string
}

// AllEnvironments is the parameter environment of a page of all of them, whether or
// not it is known which count as production.
const AllEnvironments = "*"

// Query selects the figures to show.
type Query struct {
	dora.Query
	// Bands determines the levels.
	Bands dora.Bands
	// Production are the environments that are shown because they count as
	// production and no other was asked for.
	Production dora.Environments
	// AllEnvironments is set if all of them were asked for.
	AllEnvironments bool
	// Period is the month or quarter that was asked for, nil if none was.
	Period *dora.Period
	// Selected are the parameters that selected the window, as they were sent. There
	// are none for the default.
	Selected url.Values
	// Sort is the column that tables of groups are sorted by, with a minus for the
	// greatest value first. Empty means by the most deployments.
	Sort string
	// Metric is the figure whose evidence is shown, empty on other pages.
	Metric dora.Name
	// Refresh is the interval at which a browser loads the page again, zero for never.
	Refresh time.Duration
	// IsKiosk is set for a view that fits one screen.
	IsKiosk bool
}

// Renderer renders the page, evidence, problems and badges. It is safe for concurrent use.
type Renderer struct {
	Options
	pages, badge *template.Template
	badges       *badgeCache
	policy       string // the Content-Security-Policy of pages
}

// New parses the templates. The policy allows only the page's own style sheet, by
// its digest: no script runs and nothing is loaded.
func New(o Options) (*Renderer, error) {
	pages, err := template.ParseFS(templates, "*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	badge, err := template.New("badge").Parse(badgeSVG)
	if err != nil {
		return nil, fmt.Errorf("parse the badge: %w", err)
	}
	if o.Production == nil {
		o.Production = func() dora.Environments { return nil }
	}
	digest := sha256.Sum256([]byte(pageCSS))
	return &Renderer{Options: o, pages: pages, badge: badge, badges: newBadgeCache(o.Store.Now), policy: "default-src 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(digest[:]) + "'; img-src data:; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"}, nil
}

// Page writes the page. If it returns an error, nothing has been written.
func (p *Renderer) Page(w http.ResponseWriter, r *http.Request, q Query) error {
	view, err := p.view(r, q)
	if err != nil {
		return err
	}
	return p.write(w, http.StatusOK, "page.html", view)
}

// write writes a page. If it returns an error, nothing has been written.
func (p *Renderer) write(w http.ResponseWriter, status int, name string, view any) error {
	var html bytes.Buffer
	if err := p.pages.ExecuteTemplate(&html, name, view); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", p.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(html.Bytes()) // an error means that the client is gone
	return nil
}

// frame is the data around the content of every page.
type frame struct {
	Title, Heading, Subtitle, Build string
	Links                           []anchor
	Style                           template.CSS
	Now                             time.Time
	Refresh                         int          // in seconds
	Still                           template.URL // the same page without Refresh
	IsKiosk                         bool
}

// anchor is a link of a page.
type anchor struct {
	Name string
	URL  template.URL
}

func (p *Renderer) frame(title, subtitle string, location *time.Location, links ...anchor) frame {
	return frame{
		Title: title, Heading: "em-metrics", Subtitle: subtitle, Build: p.Build, Links: links,
		Style: template.CSS(pageCSS), Now: p.Store.Now().In(location),
	}
}
