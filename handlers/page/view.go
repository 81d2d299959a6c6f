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
	Incidents                 []stateRow
	Deployments               []stateRow
	Events                    []eventRow
}

const (
	maxProjects = 50 // and environments
	maxRows     = 12 // of every other list
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
	newest, err := p.Store.RecentEvents(ctx, 1)
	if err != nil {
		return nil, err
	}
	if len(newest) == 0 {
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
	return v, nil
}

// addFigures adds the filter, the keys with their trends, and the projects.
func (p *Renderer) addFigures(ctx context.Context, v *view, q Query) error {
	length := q.Length()
	names, err := p.Store.Names(ctx, q.From.Add(-length), q.To)
	if err != nil {
		return err
	}
	trend := q.Query
	trend.Interval = trendInterval(length)
	now, err := p.Store.Overview(ctx, trend, maxProjects)
	if err != nil {
		return err
	}
	v.Filter = newFilterView(names, q, p.Production())
	v.Notice = p.newNotice(now.All, q)
	if isMixed(now.All, q) {
		return p.addEnvironments(ctx, v, q)
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
	v.Projects = newGroupTable("Project", now.Top, now.Projects, q)
	return nil
}

// addEnvironments adds a row for each environment, and for each project in one.
func (p *Renderer) addEnvironments(ctx context.Context, v *view, q Query) error {
	for _, table := range []struct {
		title string
		by    dora.GroupBy
		into  **groupTable
	}{
		{"Environment", dora.GroupBy{Environment: true}, &v.Environments},
		{"Project", dora.GroupBy{Environment: true, Project: true}, &v.Projects},
	} {
		grouped := q.Query
		grouped.GroupBy = table.by
		groups, all, err := p.Store.DoraTop(ctx, grouped, maxProjects)
		if err != nil {
			return err
		}
		*table.into = newGroupTable(table.title, groups, all, q)
	}
	return nil
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

// addIncidents adds the incidents not yet restored, and then those of the window
// that are restored but not yet closed.
func (p *Renderer) addIncidents(ctx context.Context, v *view, q Query) error {
	filter := db.IncidentFilter{
		State: db.InProgress, Project: q.Project, Team: q.Team, Environment: q.Environment, Environments: q.Environments,
		Page: db.Page{Limit: maxRows},
	}
	incidents, _, err := p.Store.Incidents(ctx, filter)
	if err != nil {
		return err
	}
	filter.State = db.Unfinished
	unfinished, _, err := p.Store.Incidents(ctx, filter)
	if err != nil {
		return err
	}
	for _, i := range unfinished {
		if !i.RestoredAt.IsZero() && !i.StartedAt.Before(q.From) && len(incidents) < maxRows {
			incidents = append(incidents, i)
		}
	}
	for _, i := range incidents {
		v.Incidents = append(v.Incidents, newIncidentRow(i, v.Now))
	}
	return nil
}

func (p *Renderer) addDeployments(ctx context.Context, v *view, q Query) error {
	deployments, _, err := p.Store.Deployments(ctx, db.DeploymentFilter{
		Project: q.Project, Team: q.Team, Environment: q.Environment, Environments: q.Environments,
		Page: db.Page{Limit: maxRows},
	})
	if err != nil {
		return err
	}
	for _, d := range deployments {
		failures, err := p.Store.IncidentsOf(ctx, d.Key)
		if err != nil {
			return err
		}
		v.Deployments = append(v.Deployments, newDeploymentRow(d, len(failures), v.Now))
	}
	return nil
}

func (p *Renderer) addEvents(ctx context.Context, v *view, _ Query) error {
	events, err := p.Store.RecentEvents(ctx, maxRows)
	if err != nil {
		return err
	}
	for _, e := range events {
		v.Events = append(v.Events, newEventRow(e, v.Now))
	}
	return nil
}
