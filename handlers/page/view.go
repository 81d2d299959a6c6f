package page

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

const (
	docs   = "https://github.com/em-metrics/em-metrics#readme"
	chance = "https://github.com/em-metrics/em-metrics/blob/main/docs/dora.md#what-is-within-chance"
)

// view is the data of the page's template.
type view struct {
	frame
	First                    *firstView // if set, replaces everything below
	Filter                   filterView
	Period                   periodView
	Window, BandsIntro       string
	Compared                 string // with what the window is compared, if it is not the one right before
	Incomplete               bool   // some interval of the trend is
	Chance                   string // where the documentation says what is within chance
	BandsReport, BandsSource string
	Keys                     []keyView
	Trend                    []trendRow
	Notice                   *notice
	OpenCount                string      // how many incidents are open at the end of the window
	Environments             *groupTable // if set, replaces the keys and the trend
	Projects                 *groupTable
	Teams                    *groupTable  // if there are any
	Open, Restored           incidentList // at the end of the window; now
	Deployments              []stateRow
	Events                   []eventRow
	NoEvents                 string // why there are none

	all    dora.Group
	newest time.Time // when the newest deployment or incident of the lists began, zero without any
}

const (
	maxGroups = 50 // of a table
	maxRows   = 12 // of every other list
)

// view reads the data of the page from the store.
func (p *Renderer) view(r *http.Request, q Query) (*view, error) {
	ctx := r.Context()
	v := &view{frame: p.pageFrame(q)}
	isEmpty, err := p.isStoreEmpty(ctx)
	if err != nil {
		return nil, err
	}
	if isEmpty {
		v.First = newFirstView(r, p.Credential, p.Production())
		return v, nil
	}
	v.Window, v.Period, v.Chance = q.describe(v.Now), q.periodView(v.Now), chance
	v.BandsIntro, v.BandsReport, v.BandsSource = "Levels follow the bands of", q.Bands.Report, q.Bands.Source
	if q.Bands.Year == 0 {
		v.BandsIntro = "Levels are the answers of"
	}
	sections := []func(context.Context, *view, Query) error{p.addFigures, p.addDeployments, p.addIncidents, p.addEvents}
	if q.IsKiosk {
		sections = sections[:2] // without deployments there would be no notice of old data
	}
	for _, add := range sections {
		if err := add(ctx, v, q); err != nil {
			return nil, err
		}
	}
	v.Notice = p.newNotice(v, q)
	return v, nil
}

// pageFrame returns the frame of the page.
func (p *Renderer) pageFrame(q Query) frame {
	exact := encode(q.exactly())
	links := []anchor{
		{"Metrics", "metrics"}, {"API", "openapi.yaml"}, {"JSON", "dora?" + exact}, {"CSV", "dora?" + exact + "&format=csv"},
		{"Kiosk", "?" + q.linkTo("kiosk", "true", "refresh", "60s")}, {"Documentation", docs},
	}
	if q.IsKiosk {
		links = []anchor{{"Full page", "?" + q.linkTo("kiosk", "", "refresh", "")}}
	}
	f := p.frame("em-metrics: "+q.scope(), "Delivery metrics for "+q.scope(), q.Location, links...)
	f.Refresh, f.Still, f.IsKiosk = int(q.Refresh.Seconds()), q.linkTo("refresh", ""), q.IsKiosk
	return f
}

// addFigures adds the filter, the keys with their trends, and the tables of groups.
func (p *Renderer) addFigures(ctx context.Context, v *view, q Query) error {
	if err := p.addFilter(ctx, v, q); err != nil {
		return err
	}
	trend := q.Query
	trend.Interval = trendInterval(q.Length())
	now, err := p.Store.Overview(ctx, trend, q.byTeam())
	if err != nil {
		return err
	}
	v.all, v.OpenCount = now.All, plural(now.All.OpenIncidents, "open incident")
	if err := v.addGroups(ctx, now, maxGroups, q); err != nil {
		return err
	}
	if isMixed(now.All, q) {
		return nil
	}
	before := q.Query
	before.From, before.To, v.Compared = q.previous(v.Now)
	earlier, err := p.Store.DoraTotals(ctx, before)
	if err != nil {
		return err
	}
	v.Keys = newKeyViews(now.All, earlier, q)
	v.Trend = newTrendRows(now.All.Series, q)
	v.Incomplete = slices.ContainsFunc(v.Trend, func(r trendRow) bool { return r.IsIncomplete })
	return nil
}

// addFilter adds the names to choose from, which a kiosk has no form for.
func (p *Renderer) addFilter(ctx context.Context, v *view, q Query) error {
	if q.IsKiosk {
		return nil
	}
	names, err := p.Store.Names(ctx, q.From.Add(-q.Length()), q.To)
	if err != nil {
		return err
	}
	v.Filter = newFilterView(names, q, p.Production())
	return nil
}

// byTeam is the grouping of the table of teams.
func (q Query) byTeam() dora.GroupBy {
	return dora.GroupBy{Team: true, Environment: q.isByEnvironment()}
}

// isByEnvironment reports whether the tables of the page are grouped by environment
// too, because there may be production and others.
func (q Query) isByEnvironment() bool { return q.Environment == "" && len(q.Production) == 0 }

// The titles of the tables of groups.
const (
	projectTitle     = "Project"
	teamTitle        = "Team"
	environmentTitle = "Environment"
)

// addGroups adds the tables of the n groups with the most deployments.
func (v *view) addGroups(ctx context.Context, now *db.Overview, n int, q Query) (err error) {
	v.Projects, err = q.topTable(ctx, projectTitle, now, dora.GroupBy{Project: true, Environment: q.isByEnvironment()}, n)
	if err != nil {
		return err
	}
	if v.Teams, err = q.topTable(ctx, teamTitle, now, q.byTeam(), n); err != nil {
		return err
	}
	if !slices.ContainsFunc(v.Teams.groups, func(g dora.Group) bool { return g.Team != "" }) {
		v.Teams = nil
	}
	if isMixed(now.All, q) {
		v.Environments, err = q.topTable(ctx, environmentTitle, now, dora.GroupBy{Environment: true}, n)
	}
	return err
}

// topTable returns the table of the n groups of a grouping with the most deployments.
// Environments are named only if there are several.
func (q Query) topTable(ctx context.Context, title string, now *db.Overview, by dora.GroupBy, n int) (*groupTable, error) {
	groups, all, err := now.Top(ctx, by, n)
	if err != nil {
		return nil, err
	}
	if !isMixed(now.All, q) {
		for i := range groups {
			groups[i].Environment = ""
		}
	}
	return newGroupTable(title, groups, all, q), nil
}

func trendInterval(length time.Duration) dora.Interval {
	switch days := length.Hours() / 24; {
	case days <= 14:
		return dora.Daily
	case days <= 366:
		return dora.Weekly
	}
	return dora.Monthly
}
