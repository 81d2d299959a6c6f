package page

import (
	"html/template"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// notice explains what the figures leave out, with a link to what may be meant.
type notice struct {
	Text, Link string
	Query      template.URL
}

// isMixed reports whether figures over the whole group would mix production with
// other environments.
func isMixed(all dora.Group, q Query) bool { return all.MixedEnvironments && len(q.Production) == 0 }

// newNotice returns what must be said of the figures of a page, nil if that is
// nothing.
func (p *Renderer) newNotice(v *view, q Query) *notice {
	all := v.all
	const rows = "A figure over all of them would mix production with the others, so each has a row of its own."
	switch isProductionKnown := len(p.Production()) > 0; {
	case isMixed(all, q) && isProductionKnown:
		return &notice{Text: "There are several environments. " + rows, Link: "Show production", Query: q.linkTo("environment", "")}
	case isMixed(all, q):
		return &notice{Text: "There are several environments, and it is not configured which of them count as production. " +
			rows + " Choose one, or list those that count as production in the CONFIG file (production) or in " +
			"EM_METRICS_PRODUCTION_ENVIRONMENTS."}
	case isQuiet(all.Totals) && v.newest.Before(q.From) && !v.newest.IsZero():
		return q.newOldDataNotice(v.newest)
	case len(q.Production) > 0 && isEmpty(all.Totals):
		return &notice{
			Text: "Nothing in this window is in an environment that counts as production (" + isolate(strings.Join(q.Production, ", ")) + ").",
			Link: "Show all environments", Query: q.linkTo("environment", AllEnvironments),
		}
	case isEmpty(all.Totals) && v.newest.IsZero():
		return &notice{Text: "Nothing that matches is recorded until the end of this window.", Link: "Show everything of the last 30 days"}
	}
	return nil
}

// newOldDataNotice says that the window has nothing, and which one has some.
func (q Query) newOldDataNotice(newest time.Time) *notice {
	newest = newest.In(q.Location)
	return &notice{
		Text: "Nothing happened in this window. What is recorded ends on " + newest.Format("2 January 2006") +
			". If deployments have been made since, check that they are still sent.",
		Link:  "Show " + newest.Format("January 2006"),
		Query: q.linkToWindow("period", newest.Format("2006-01")),
	}
}

// isQuiet reports whether nothing began or ended in a window.
func isQuiet(t dora.Totals) bool {
	return t.Deployments == 0 && t.UnfinishedDeployments == 0 && t.Incidents == 0
}

// isEmpty reports whether there is nothing to show of a window.
func isEmpty(t dora.Totals) bool { return isQuiet(t) && t.OpenIncidents == 0 }
