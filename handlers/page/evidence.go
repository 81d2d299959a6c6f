package page

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// evidenceView is the data of the template of a page of evidence.
type evidenceView struct {
	frame
	Filter filterView
	Period periodView
	Window string
	Figure dora.Figure
	figure
	Counts []string // what counts and what does not
	Lists  []evidenceList
}

// evidenceList is a list of deployments or incidents, with columns that all rows have.
type evidenceList struct {
	Title, Subject, Plural string
	ValueTitle             string // empty without values
	Dates                  []string
	LinkedTitle            string
	Rows                   []evidenceRow
	More                   template.URL // the next page, empty after the last
}

// evidenceRow is a deployment or an incident.
type evidenceRow struct {
	ID, Project, Environment, Team, Value string
	Rework                                bool
	Dates                                 []moment // as many as the list has; unknown ones are zero
	Linked                                []anchor // without a URL there is no page of it
}

// Evidence writes a page of the deployments or incidents that a figure is computed
// from: those that a ratio counts first. If it returns an error, nothing has been
// written.
func (p *Renderer) Evidence(w http.ResponseWriter, r *http.Request, f dora.Figure, q Query, part db.Part, page db.Page) error {
	ctx := r.Context()
	q.Metric = f.Name
	names, err := p.Store.Names(ctx, q.From.Add(-q.Length()), q.To)
	if err != nil {
		return err
	}
	groups, err := p.Store.Dora(ctx, q.Query)
	if err != nil {
		return err
	}
	v := &evidenceView{
		frame: p.evidenceFrame(f, q), Filter: newFilterView(names, q, p.Production()),
		Figure: f, figure: newRatedFigure(f, groups[0], q.Bands), Counts: counts(f, groups[0].Totals, q),
	}
	v.Window, v.Period = q.describe(v.Now), q.periodView(v.Now)
	for _, l := range newEvidenceLists(f, groups[0].Totals, part) {
		found, next, err := p.Store.Explain(ctx, f.Name, q.Query, l.part, page)
		if err != nil {
			return err
		}
		for _, e := range found {
			l.Rows = append(l.Rows, newEvidenceRow(e, v.Now))
		}
		if next != nil {
			l.More = q.linkToPage(l.part, p.FormatCursor(*next))
		}
		v.Lists = append(v.Lists, l.evidenceList)
	}
	return p.write(w, http.StatusOK, "evidence.html", v)
}

func (p *Renderer) evidenceFrame(f dora.Figure, q Query) frame {
	data := q.exactly()
	data.Set("metric", string(f.Name))
	data.Set("limit", "500")
	home := q
	home.Metric = ""
	return p.frame("em-metrics: evidence for "+f.Title, "Evidence for "+strings.ToLower(f.Title)+" of "+q.scope(), q.Location,
		anchor{"All metrics", "../?" + encode(home.link())},
		anchor{"JSON", "explain?" + encode(data) + "&format=json"}, anchor{"CSV", "explain?" + encode(data) + "&format=csv"},
		anchor{"Documentation", docs},
	)
}

// linkToPage returns the parameters of the page of a list of evidence that begins at a
// cursor. It is of the very same window.
func (q Query) linkToPage(part db.Part, cursor string) template.URL {
	values := q.exactly()
	values.Set("metric", string(q.Metric))
	values.Set("cursor", cursor)
	switch part {
	case db.Counted:
		values.Set("counted", "true")
	case db.NotCounted:
		values.Set("counted", "false")
	case db.Everything:
	}
	return encode(values)
}

// partList is a list of a part of the evidence.
type partList struct {
	part db.Part
	evidenceList
}

// newEvidenceLists returns the empty lists of the evidence for a figure: for a ratio
// those that it counts, and then the others.
func newEvidenceLists(f dora.Figure, t dora.Totals, part db.Part) []partList {
	list := evidenceList{Subject: "Incident", Dates: []string{"Started", "Restored", "Closed"}, LinkedTitle: "Deployment"}
	things := "Incidents" // what is counted
	if f.Source.Subject() != "incident" {
		things = "Deployments"
		list = evidenceList{Subject: "Deployment", Dates: []string{"First commit", "Started", "Deployed"}, LinkedTitle: "Incidents"}
	}
	list.Plural = strings.ToLower(things)
	switch {
	case f.Source == dora.DeployedCommits: // each has a value of its own
		things, list.LinkedTitle = "Commits", "Commits"
	case f.Kind == dora.Duration:
		list.ValueTitle = f.Title
	}
	titled := func(title string, count int64) evidenceList {
		titled := list
		titled.Title = fmt.Sprintf("%s (%d)", title, count)
		return titled
	}
	v := f.Value(t)
	if f.Kind != dora.Ratio {
		return []partList{{db.Everything, titled(things, cmp.Or(v.Samples, v.Count))}}
	}
	name := strings.ReplaceAll(f.PartName, "_", " ")
	lists := []partList{
		{db.Counted, titled(strings.ToUpper(name[:1])+name[1:], v.Count)},
		{db.NotCounted, titled("Other "+list.Plural, v.Whole-v.Count)},
	}
	switch part {
	case db.Counted:
		return lists[:1]
	case db.NotCounted:
		return lists[1:]
	case db.Everything:
	}
	return lists
}

func newEvidenceRow(e db.Evidence, now time.Time) evidenceRow {
	row := evidenceRow{}
	if e.Value.Valid {
		row.Value = formatDuration(e.Value.V)
	}
	dates := func(all ...time.Time) (moments []moment) {
		for _, at := range all {
			if at.IsZero() {
				moments = append(moments, moment{})
				continue
			}
			m := newMoment(at, now)
			m.Exact = at.In(now.Location()).Format("2 Jan 2006, 15:04")
			moments = append(moments, m)
		}
		return moments
	}
	if d := e.Deployment; d != nil {
		row.ID, row.Project, row.Environment, row.Team, row.Rework = d.ID, d.Project, d.Environment, d.Team, d.Rework
		row.Dates = dates(d.FirstCommitAt, d.DeployStartAt, d.DeployedAt)
		for _, id := range e.Incidents {
			row.Linked = append(row.Linked, record("incidents", id, d.Project, d.Environment))
		}
		row.Linked = append(row.Linked, commits(e)...)
		return row
	}
	i := e.Incident
	row.ID, row.Project, row.Environment, row.Team = i.ID, i.Project, i.Environment, i.Team
	row.Dates = dates(i.StartedAt, i.RestoredAt, i.FinishedAt)
	if i.DeploymentID != "" {
		row.Linked = []anchor{record("deployments", i.DeploymentID, i.Project, i.Environment)}
	}
	return row
}

// maxCommits is the maximum number of commits of a deployment that are shown.
const maxCommits = 10

// commits returns the commits of a deployment, each with its lead time.
func commits(e db.Evidence) (shown []anchor) {
	for _, c := range e.Commits[:min(maxCommits, len(e.Commits))] {
		lead := db.Elapsed(c.At, e.Deployment.DeployedAt)
		shown = append(shown, anchor{Name: truncate(c.Name, 12) + " (" + formatDuration(lead.V) + ")"})
	}
	if more := e.Deployment.Commits.V - len(shown); len(shown) > 0 && more > 0 {
		shown = append(shown, anchor{Name: fmt.Sprintf("and %d more", more)})
	}
	return shown
}

// record returns the link to a deployment or an incident in the API.
func record(list, id, project, environment string) anchor {
	query := url.Values{"project_id": {project}, "environment": {environment}}
	return anchor{id, template.URL("../" + list + "/" + url.PathEscape(id) + "?" + query.Encode())}
}
