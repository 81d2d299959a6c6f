package page

import (
	"context"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

func (p *Renderer) isStoreEmpty(ctx context.Context) (bool, error) {
	events, err := p.Store.RecentEvents(ctx, dora.Filter{}, 1)
	return len(events) == 0, err
}

// end returns the end of the window if it is in the past, else zero.
func (q Query) end(now time.Time) time.Time {
	if q.To.After(now) {
		return time.Time{}
	}
	return q.To
}

// addIncidents adds the incidents that were open at the end of the window, which is
// what the figures count, and those that are restored but not closed.
func (p *Renderer) addIncidents(ctx context.Context, v *view, q Query) error {
	filter := db.IncidentFilter{
		State: db.InProgress, Project: q.Project, Team: q.Team, Environment: q.Environment, Environments: q.Environments,
		Page: db.Page{Limit: maxRows},
	}
	if filter.OpenAt = q.end(v.Now); !filter.OpenAt.IsZero() {
		filter.State = db.AnyIncident
	}
	open, more, err := p.Store.Incidents(ctx, filter)
	if err != nil {
		return err
	}
	v.Open = v.newIncidentList("Open incidents", open)
	if more != nil {
		v.Open.More = "dora/explain?" + q.evidence("open_incidents")
	}
	filter.State, filter.OpenAt = db.Restored, time.Time{}
	restored, more, err := p.Store.Incidents(ctx, filter)
	if err != nil {
		return err
	}
	v.Restored = v.newIncidentList("Restored, not closed", restored)
	if more != nil {
		v.Restored.More = "incidents?type=unfinished"
	}
	return nil
}

// incidentList is a list of incidents.
type incidentList struct {
	Title string
	Rows  []stateRow
	More  template.URL // where the others are, empty if these are all
}

func (v *view) newIncidentList(title string, incidents []*db.Incident) incidentList {
	list := incidentList{Title: title}
	for _, i := range incidents {
		list.Rows = append(list.Rows, v.newIncidentRow(i))
	}
	return list
}

// addDeployments adds the latest deployments until the end of the window.
func (p *Renderer) addDeployments(ctx context.Context, v *view, q Query) error {
	deployments, _, err := p.Store.Deployments(ctx, db.DeploymentFilter{
		Project: q.Project, Team: q.Team, Environment: q.Environment, Environments: q.Environments,
		Before: q.end(v.Now), Page: db.Page{Limit: maxRows},
	})
	if err != nil {
		return err
	}
	for _, d := range deployments {
		v.Deployments = append(v.Deployments, v.newDeploymentRow(d))
	}
	return nil
}

// addEvents adds the events that were recorded last.
func (p *Renderer) addEvents(ctx context.Context, v *view, q Query) error {
	events, err := p.Store.RecentEvents(ctx, q.Filter, maxRows)
	if err != nil {
		return err
	}
	v.NoEvents = fmt.Sprintf("None of the latest %d events matches the filters.", db.MaxRecent)
	for _, e := range events {
		v.Events = append(v.Events, newEventRow(e, v.Now))
	}
	return nil
}

// stateRow is a deployment or an incident with its state.
type stateRow struct {
	ID, Project, Environment, Deployment string
	State, Class                         string
	Rework                               bool
	When                                 moment
}

func (v *view) newIncidentRow(i *db.Incident) stateRow {
	v.sees(i.StartedAt)
	row := stateRow{ID: i.ID, Project: i.Project, Environment: i.Environment, Deployment: i.DeploymentID,
		State: "in progress", Class: "low", When: newMoment(i.StartedAt, v.Now)}
	if !i.RestoredAt.IsZero() {
		row.State, row.Class = "restored", "medium"
	}
	return row
}

// sees remembers the newest date of the lists.
func (v *view) sees(at time.Time) {
	if at.After(v.newest) {
		v.newest = at
	}
}

func (v *view) newDeploymentRow(d *db.Deployment) stateRow {
	v.sees(d.BeganAt())
	row := stateRow{ID: d.ID, Project: d.Project, Environment: d.Environment, Rework: d.Rework}
	switch {
	case !d.RolledBackAt.IsZero():
		row.State, row.Class = "rolled back", "low"
	case d.Failed:
		row.State, row.Class = "failed", "low"
	case d.DeployedAt.IsZero() && !d.AbortedAt.IsZero():
		row.State, row.Class = "aborted", "medium"
	case d.DeployedAt.IsZero():
		row.State, row.Class = "started", "medium"
	default:
		row.State, row.Class = "deployed", "elite"
	}
	if row.When = newMoment(d.DeployedAt, v.Now); d.DeployedAt.IsZero() {
		row.When = newMoment(d.BeganAt(), v.Now)
	}
	return row
}

// eventRow is a stored event.
type eventRow struct {
	Kind, ID, Project, Environment, Team string
	Occurred, Recorded                   moment
}

func newEventRow(e db.Event, now time.Time) eventRow {
	kind := strings.ReplaceAll(string(e.Kind), "_", " ")
	return eventRow{
		Kind: strings.ToUpper(kind[:1]) + kind[1:], ID: e.Subject, Project: e.Project, Environment: e.Environment, Team: e.Team,
		Occurred: newMoment(e.OccurredAt, now), Recorded: newMoment(e.RecordedAt, now),
	}
}

// moment is a time for humans and for machines.
type moment struct{ Machine, Exact, Age string }

func newMoment(at, now time.Time) moment {
	return moment{
		Machine: at.UTC().Format(time.RFC3339),
		Exact:   at.In(now.Location()).Format("2 January 2006, 15:04:05 MST"),
		Age:     formatAge(now.Sub(at)),
	}
}

func formatAge(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * 24 * time.Hour, "year"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= unit.length {
			return plural(int64(d/unit.length), unit.name) + " ago"
		}
	}
	return "just now"
}
