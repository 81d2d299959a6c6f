package page

import (
	"context"
	"html/template"
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
	Title, Scope, Docs, Build string
	Query                     template.URL
	Style                     template.CSS
	Now                       time.Time
	First                     *firstView // if set, replaces everything below
	Filter                    filterView
	Period                    periodView
	Window, BandsIntro        string
	Compared                  string // with what the window is compared, if it is not the one right before
	Incomplete                bool   // some interval of the trend is
	Chance                    string // where the documentation says what is within chance
	BandsReport, BandsSource  string
	Keys                      []keyView
	Trend                     []trendRow
	Notice                    *notice
	Environments              *groupTable // if set, replaces the keys and the trend
	Projects                  *groupTable
	Teams                     *groupTable  // if there are any
	Open, Restored            incidentList // at the end of the window; now
	Deployments               []stateRow
	Events                    []eventRow
	NoEvents                  string // why there are none

	all    dora.Group
	newest time.Time // when the newest deployment or incident of the lists began, zero without any
}

const (
	maxGroups = 50 // of a table
	maxRows   = 12 // of every other list
)

// view reads the data of the page from the store.
func (p *Renderer) view(r *http.Request, q Query) (*view, error) {
	ctx, now := r.Context(), p.Store.Now()
	v := &view{
		Title: "em-metrics: " + q.scope(), Scope: q.scope(), Query: encode(q.exactly()),
		Docs: docs, Build: p.Build, Chance: chance, Style: template.CSS(pageCSS), Now: now.In(q.Location),
		BandsIntro: "Levels follow the bands of", BandsReport: q.Bands.Report, BandsSource: q.Bands.Source,
		Window: q.describe(now), Period: q.periodView(now),
	}
	if q.Bands.Year == 0 {
		v.BandsIntro = "Levels are the answers of"
	}
	isEmpty, err := p.isStoreEmpty(ctx)
	if err != nil {
		return nil, err
	}
	if isEmpty {
		v.First = newFirstView(r, p.Credential, p.Production())
		return v, nil
	}
	for _, add := range []func(context.Context, *view, Query) error{
		p.addFigures, p.addIncidents, p.addDeployments, p.addEvents,
	} {
		if err := add(ctx, v, q); err != nil {
			return nil, err
		}
	}
	v.Notice = p.newNotice(v, q)
	return v, nil
}

// addFigures adds the filter, the keys with their trends, and the tables of groups.
func (p *Renderer) addFigures(ctx context.Context, v *view, q Query) error {
	length := q.Length()
	names, err := p.Store.Names(ctx, q.From.Add(-length), q.To)
	if err != nil {
		return err
	}
	v.Filter = newFilterView(names, q, p.Production())
	trend := q.Query
	trend.Interval = trendInterval(length)
	groupings := q.groupings()
	now, err := p.Store.Overview(ctx, trend, maxGroups, groupings...)
	if err != nil {
		return err
	}
	v.all = now.All
	v.addGroups(groupings, now, q)
	if isMixed(now.All, q) {
		return nil
	}
	before := q.Query
	before.From, before.To, v.Compared = q.previous(v.Now)
	earlier, err := p.Store.Dora(ctx, before)
	if err != nil {
		return err
	}
	v.Keys = newKeyViews(now.All, earlier[0].Totals, q)
	v.Trend = newTrendRows(now.All.Series, q)
	v.Incomplete = slices.ContainsFunc(v.Trend, func(r trendRow) bool { return r.IsIncomplete })
	return nil
}

// groupings returns the groupings of the tables of the page: by environment too, where
// there may be production and others.
func (q Query) groupings() []dora.GroupBy {
	byEnvironment := q.Environment == "" && len(q.Production) == 0
	by := []dora.GroupBy{{Project: true, Environment: byEnvironment}, {Team: true, Environment: byEnvironment}}
	if byEnvironment {
		by = append(by, dora.GroupBy{Environment: true})
	}
	return by
}

// The titles of the tables of groups.
const (
	projectTitle     = "Project"
	teamTitle        = "Team"
	environmentTitle = "Environment"
)

// addGroups adds the tables of groups. Environments are named only if there are
// several.
func (v *view) addGroups(groupings []dora.GroupBy, o db.Overview, q Query) {
	isMixed := isMixed(o.All, q)
	for i, by := range groupings {
		top := o.Tops[i]
		if !isMixed {
			for j := range top.Groups {
				top.Groups[j].Environment = ""
			}
		}
		switch {
		case by.Project:
			v.Projects = newGroupTable(projectTitle, top, q)
		case by.Team:
			if slices.ContainsFunc(top.Groups, func(g dora.Group) bool { return g.Team != "" }) {
				v.Teams = newGroupTable(teamTitle, top, q)
			}
		case isMixed:
			v.Environments = newGroupTable(environmentTitle, top, q)
		}
	}
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
