// Package page renders the figures as HTML and SVG.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

//go:embed page.html
var pageHTML string

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
}

// Renderer renders the page and the badges. It is safe for concurrent use.
type Renderer struct {
	Options
	page, badge *template.Template
	policy      string // the Content-Security-Policy of the page
}

// New parses the templates. The policy allows only the page's own style sheet, by
// its digest: no script runs and nothing is loaded.
func New(o Options) (*Renderer, error) {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	badge, err := template.New("badge").Parse(badgeSVG)
	if err != nil {
		return nil, fmt.Errorf("parse the badge: %w", err)
	}
	if o.Production == nil {
		o.Production = func() dora.Environments { return nil }
	}
	digest := sha256.Sum256([]byte(pageCSS))
	return &Renderer{Options: o, page: page, badge: badge, policy: "default-src 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(digest[:]) + "'; img-src data:; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"}, nil
}

// Page writes the page. If it returns an error, nothing has been written.
func (p *Renderer) Page(w http.ResponseWriter, r *http.Request, q Query) error {
	view, err := p.view(r, q)
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := p.page.Execute(&html, view); err != nil {
		return fmt.Errorf("render the page: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", p.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	_, _ = w.Write(html.Bytes()) // an error means that the client is gone
	return nil
}
