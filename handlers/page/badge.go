package page

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/em-metrics/em-metrics/db/dora"
)

// badge is a small image for a README: a name, a value and the color of the level.
type badge struct {
	Label, Value, Title string
	LabelWidth, Width   int
	Fill                string
}

// badgeSVG is the template of a badge. Widths are estimated for Verdana;
// textLength makes the text fit in any other font.
const badgeSVG = `<svg xmlns="http://www.w3.org/2000/svg" ` +
	`width="{{.Width}}" height="20" role="img" aria-label="{{.Label}}: {{.Value}}">` +
	`<title>{{.Title}}</title>` +
	`<clipPath id="r"><rect width="{{.Width}}" height="20" rx="4"/></clipPath>` +
	`<g clip-path="url(#r)"><rect width="{{.LabelWidth}}" height="20" fill="#3b4252"/>` +
	`<rect x="{{.LabelWidth}}" width="{{.ValueWidth}}" height="20" fill="{{.Fill}}"/></g>` +
	`<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle">` +
	`<text x="{{.LabelMiddle}}" y="14" textLength="{{.LabelText}}">{{.Label}}</text>` +
	`<text x="{{.ValueMiddle}}" y="14" textLength="{{.ValueText}}">{{.Value}}</text></g></svg>` + "\n"

const badgePadding = 7

// ValueWidth is the width of the right part in pixels.
func (b badge) ValueWidth() int { return b.Width - b.LabelWidth }

// LabelMiddle is the middle of the left text.
func (b badge) LabelMiddle() float64 { return float64(b.LabelWidth) / 2 }

// ValueMiddle is the middle of the right text.
func (b badge) ValueMiddle() float64 { return float64(b.LabelWidth) + float64(b.ValueWidth())/2 }

// LabelText is the width of the left text.
func (b badge) LabelText() int { return b.LabelWidth - 2*badgePadding }

// ValueText is the width of the right text.
func (b badge) ValueText() int { return b.ValueWidth() - 2*badgePadding }

func newBadge(title string, f figure, q Query) badge {
	b := badge{Label: strings.ToLower(title), Value: f.Full(), Fill: fill(f.Level)}
	b.Title = fmt.Sprintf("%s for %s, %s to %s: %s", title, q.scope(),
		q.From.In(q.Location).Format(time.DateOnly), q.To.In(q.Location).Format(time.DateOnly), f.Value)
	var ranks []string
	for _, r := range f.Ranks() {
		ranks = append(ranks, r.Text)
	}
	if words := strings.Join(ranks, ", "); words != "" {
		b.Title += fmt.Sprintf(" (%s by the bands of %s)", words, q.Bands.Report)
		if f.Level == "" && q.Bands.Year != 0 { // answers are too long to be shown
			b.Value += " · " + words
		}
	}
	b.Title = xmlText(b.Title)
	b.LabelWidth = textWidth(b.Label) + 2*badgePadding
	b.Width = b.LabelWidth + textWidth(b.Value) + 2*badgePadding
	return b
}

// xmlText replaces what an XML document must not contain by U+FFFD: most control
// characters, U+FFFE, U+FFFF and invalid UTF-8 (https://www.w3.org/TR/xml/#charsets).
func xmlText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff' {
			return utf8.RuneError
		}
		return r
	}, text)
}

// fill returns the color of a level. White text on it has a contrast of at least
// 4.5.
func fill(level dora.Level) string {
	switch level {
	case dora.Elite:
		return "#1a7f5a"
	case dora.High:
		return "#2f6fb5"
	case dora.Medium:
		return "#8f6400"
	case dora.Low:
		return "#b3403c"
	}
	return "#5f6b7a"
}

// textWidth estimates the width of a text in Verdana at 11 pixels.
func textWidth(text string) int {
	width := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijl.,:' ", r):
			width += 3.9
		case strings.ContainsRune("mw%MW", r):
			width += 10
		default:
			width += 6.9
		}
	}
	return int(width + 0.5)
}

// Badge writes the badge of a figure, which may be maxBadgeAge old. If it returns an
// error, nothing has been written.
func (p *Renderer) Badge(w http.ResponseWriter, r *http.Request, f dora.Figure, q Query) error {
	key := strings.Join(append([]string{string(f.Name), r.URL.Query().Encode()}, q.Production...), "\n")
	svg, age, err := p.badges.get(r.Context(), key, func() ([]byte, error) { return p.renderBadge(r.Context(), f, q) })
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d", int((maxBadgeAge-age).Seconds())))
	_, _ = w.Write(svg) // an error means that the client is gone
	return nil
}

func (p *Renderer) renderBadge(ctx context.Context, f dora.Figure, q Query) ([]byte, error) {
	groups, err := p.Store.Dora(ctx, q.Query)
	if err != nil {
		return nil, err
	}
	shown := newRatedFigure(f, groups[0], q.Bands)
	var svg bytes.Buffer
	if err := p.badge.Execute(&svg, newBadge(f.Title, shown, q)); err != nil {
		return nil, fmt.Errorf("render a badge: %w", err)
	}
	return svg.Bytes(), nil
}
