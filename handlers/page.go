package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

const docs = "https://github.com/em-metrics/em-metrics#readme"

//go:embed page/page.html
var pageHTML string

//go:embed page/page.css
var pageCSS string

// views are what is drawn and not encoded: the page and the badges.
type views struct {
	page, badge *template.Template
	policy      string // the Content-Security-Policy of the page
}

// newViews parses the templates. The page carries its style, which the policy
// names by its digest; nothing else can be styled, run or loaded.
func newViews() (*views, error) {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	badge, err := template.New("badge").Parse(badgeSVG)
	if err != nil {
		return nil, fmt.Errorf("parse the badge: %w", err)
	}
	digest := sha256.Sum256([]byte(pageCSS))
	return &views{page: page, badge: badge, policy: "default-src 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(digest[:]) + "'; img-src data:; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"}, nil
}

// pageView is what the page shows.
type pageView struct {
	Title, Whose, Docs, Build        string
	Query                            template.URL
	Style                            template.CSS
	Now                              time.Time
	First                            *firstView // instead of everything below
	Filter                           filterView
	Window, BandsReport, BandsSource string
	Keys                             []keyView
	Trend                            []trendRow
	Projects                         []projectRow
	MoreProjects                     string
	Incidents                        []stateRow
	Deployments                      []stateRow
	Arrivals                         []arrivalRow
}

// How many rows the lists of the page have at most.
const (
	pageProjects = 50
	pageRows     = 12
)

// home answers the page: the figures for people, drawn on the server.
func (a *api) home(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	for name, values := range q.values { // a form sends what was left open too
		if !slices.ContainsFunc(values, func(v string) bool { return v != "" }) {
			delete(q.values, name)
		}
	}
	dq, b := a.doraQuery(q), q.bands()
	if err := q.err(); err != nil {
		return err
	}
	view, err := a.view(r, dq, b)
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := a.views.page.Execute(&html, view); err != nil {
		return fmt.Errorf("draw the page: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", a.views.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	_, _ = w.Write(html.Bytes()) // a client that has gone cannot be told
	return nil
}

func (a *api) view(r *http.Request, q db.DoraQuery, b db.Bands) (pageView, error) {
	ctx := r.Context()
	view := pageView{
		Title: "em-metrics: " + whose(q.DoraFilter), Whose: whose(q.DoraFilter), Query: encoded(pageQuery(q, b)),
		Docs: docs, Build: a.Build.String(), Style: template.CSS(pageCSS), Now: a.Store.Now().In(q.Location),
		BandsReport: b.Report, BandsSource: b.Source,
		Window: fmt.Sprintf("%s to %s (%s)", q.From.In(q.Location).Format("2 January 2006, 15:04"),
			q.To.In(q.Location).Format("2 January 2006, 15:04"), q.Location),
	}
	last, err := a.Store.LastEvent(ctx)
	if err != nil {
		return view, err
	}
	if last == 0 {
		view.First = a.firstView(r)
		return view, nil
	}
	if err := a.viewFigures(ctx, &view, q, b); err != nil {
		return view, err
	}
	return view, a.viewLists(ctx, &view, q)
}

// viewFigures adds the filter, the keys with their trend, and the projects.
func (a *api) viewFigures(ctx context.Context, view *pageView, q db.DoraQuery, b db.Bands) error {
	length := q.To.Sub(q.From)
	names, err := a.Store.Names(ctx, q.From.Add(-length), q.To)
	if err != nil {
		return err
	}
	view.Filter = newFilterView(names, q, b)

	trend := q
	trend.Interval = pageInterval(length)
	now, err := a.Store.Dora(ctx, trend)
	if err != nil {
		return err
	}
	before := q
	before.From, before.To = q.From.Add(-length), q.From
	earlier, err := a.Store.Dora(ctx, before)
	if err != nil {
		return err
	}
	view.Keys = keyViews(now[0], earlier[0].Dora, q, b)
	view.Trend = trendRows(now[0].Series, trend, b)

	byProject := q
	byProject.GroupBy = db.GroupBy{Project: true}
	projects, err := a.Store.Dora(ctx, byProject)
	if err != nil {
		return err
	}
	slices.SortStableFunc(projects, func(a, b db.DoraGroup) int { return int(b.Deployments - a.Deployments) })
	if more := len(projects) - pageProjects; more > 0 {
		view.MoreProjects = fmt.Sprintf("and %d more with fewer deployments: choose one above, or take the CSV", more)
		projects = projects[:pageProjects]
	}
	for _, p := range projects {
		view.Projects = append(view.Projects, newProjectRow(p, q, b))
	}
	return nil
}

// viewLists adds what is open, what was deployed and what arrived.
func (a *api) viewLists(ctx context.Context, view *pageView, q db.DoraQuery) error {
	page := db.Page{Limit: pageRows}
	incidents, err := a.incidentsToMind(ctx, q)
	if err != nil {
		return err
	}
	for _, i := range incidents {
		view.Incidents = append(view.Incidents, newIncidentRow(i, view.Now))
	}
	deployments, _, err := a.Store.Deployments(ctx, db.DeploymentFilter{
		Project: q.Project, Team: q.Team, Environment: q.Environment, Page: page,
	})
	if err != nil {
		return err
	}
	for _, d := range deployments {
		failures, err := a.Store.IncidentsOf(ctx, d.Key)
		if err != nil {
			return err
		}
		view.Deployments = append(view.Deployments, newDeploymentRow(d, len(failures), view.Now))
	}
	events, err := a.Store.RecentEvents(ctx, pageRows)
	if err != nil {
		return err
	}
	for _, e := range events {
		view.Arrivals = append(view.Arrivals, newArrivalRow(e, view.Now))
	}
	return nil
}

// incidentsToMind are those not restored, and then those of the window that
// are restored and not finished.
func (a *api) incidentsToMind(ctx context.Context, q db.DoraQuery) ([]*db.Incident, error) {
	filter := db.IncidentFilter{
		State: db.InProgress, Project: q.Project, Team: q.Team, Environment: q.Environment, Page: db.Page{Limit: pageRows},
	}
	incidents, _, err := a.Store.Incidents(ctx, filter)
	if err != nil {
		return nil, err
	}
	filter.State = db.Unfinished
	unfinished, _, err := a.Store.Incidents(ctx, filter)
	if err != nil {
		return nil, err
	}
	for _, i := range unfinished {
		if !i.RestoredAt.IsZero() && !i.StartedAt.Before(q.From) && len(incidents) < pageRows {
			incidents = append(incidents, i)
		}
	}
	return incidents, nil
}

// pageQuery is what the page shows as the parameters of GET /dora.
func pageQuery(q db.DoraQuery, b db.Bands) url.Values {
	values := url.Values{"from": {*showTime(q.From)}, "to": {*showTime(q.To)}}
	for name, value := range map[string]string{
		"project_id": q.Project, "team_id": q.Team, "environment": q.Environment,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Location != time.UTC {
		values.Set("tz", q.Location.String())
	}
	if b.Year != defaultBands {
		values.Set("bands", fmt.Sprint(b.Year))
	}
	return values
}

// encoded marks parameters as safe in an address, where the template would
// escape them a second time.
func encoded(values url.Values) template.URL { return template.URL(values.Encode()) }

func pageInterval(length time.Duration) db.Interval {
	switch days := length.Hours() / 24; {
	case days <= 14:
		return db.Daily
	case days <= 366:
		return db.Weekly
	}
	return db.Monthly
}

// firstView is what an empty install shows: requests that can be pasted.
type firstView struct{ Start, Finish, Incident, Credential string }

func (a *api) firstView(r *http.Request) *firstView {
	base := "http://" + r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		base = "https://" + r.Host
	}
	if !regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`).MatchString(r.Host) { // it might mean something to a shell
		base = "http://localhost:3000"
	}
	credential, hint := "", "This service asks for no credential."
	switch {
	case a.Auth.Disabled:
	case a.Auth.Token != "":
		credential = ` -H "Authorization: Bearer $EM_METRICS_TOKEN_AUTH"`
		hint = "Set EM_METRICS_TOKEN_AUTH in your shell to the token of this service."
	default:
		credential = ` -u "$EM_METRICS_BASIC_AUTH_USERNAME:$EM_METRICS_BASIC_AUTH_PASSWORD"`
		hint = "Set EM_METRICS_BASIC_AUTH_USERNAME and EM_METRICS_BASIC_AUTH_PASSWORD in your shell to those of this service."
	}
	curl := func(path, body string) string {
		return "curl" + credential + " " + base + path + " \\\n  -H 'Content-Type: application/json' \\\n  -d '" + body + "'"
	}
	return &firstView{
		Start: curl("/deployments",
			`{"id": "1", "project_id": "my-project", "first_commit_at": "'"$(date -u +%FT%TZ)"'"}`),
		Finish: curl("/deployments/1/deployed", `{"project_id": "my-project"}`),
		Incident: curl("/incidents", `{"id": "1", "project_id": "my-project", "deployment_id": "1"}`) + "\n" +
			curl("/incidents/1/restored", `{"project_id": "my-project"}`),
		Credential: hint,
	}
}
