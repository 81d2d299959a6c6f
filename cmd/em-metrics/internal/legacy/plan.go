package legacy

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers"
)

// instant is the most that can lie between the two dates that the older service
// wrote when a deployment started. No deployment is that quick.
const instant = 100 * time.Millisecond

// Options decide what the data alone does not.
type Options struct {
	// Environment is the environment of every row. Empty means the service's own.
	Environment string
	// CountInstant counts a deployment that took no time as deployed.
	CountInstant bool
	// CloseUnfinished closes incidents that are not finished at their last known
	// date.
	CloseUnfinished bool
	// FirstCommitFromStart replaces an unusable first commit by the start.
	FirstCommitFromStart bool
	// Now is the time after which a date is in the future.
	Now time.Time
}

// Row identifies a row of the older service.
type Row struct{ Kind, ID, Project string }

// String returns the name of the row, as reports show it.
func (r Row) String() string {
	return fmt.Sprintf("%s %s of project %s", r.Kind, r.ID, r.Project)
}

// Request records one row: either a deployment or an incident, the other is nil.
type Request struct {
	Row        Row
	Deployment *handlers.DeploymentRequest
	Incident   *handlers.IncidentRequest
}

// Outcome is what becomes of a row with a problem.
type Outcome string

// The outcomes.
const (
	Repaired Outcome = "repaired"
	Skipped  Outcome = "skipped"
	Unclear  Outcome = "unclear" // sent as it is, which may be wrong
)

// Note explains the outcome of a row.
type Note struct {
	Row     Row
	Outcome Outcome
	Reason  string // the same for every row with this problem
	Detail  string // may be empty
}

// Plan is what to send, deployments first, and the rows that need a note.
type Plan struct {
	Requests []Request
	Notes    []Note

	options  Options
	projects map[string]string // of every deployment in the database, by id
	sent     map[string]bool   // the ids of the deployments in Requests
}

// NewPlan makes the plan for a database.
func NewPlan(d Database, o Options) *Plan {
	p := &Plan{options: o, projects: map[string]string{}, sent: map[string]bool{}}
	for _, deployment := range d.Deployments {
		p.projects[deployment.ID] = deployment.Project
		if request, ok := p.deployment(deployment); ok {
			p.Requests = append(p.Requests, request)
			p.sent[deployment.ID] = true
		}
	}
	for _, incident := range d.Incidents {
		if request, ok := p.incident(incident); ok {
			p.Requests = append(p.Requests, request)
		}
	}
	return p
}

// Repaired adds a note that a row was repaired.
func (p *Plan) Repaired(row Row, reason, detail string) {
	p.Notes = append(p.Notes, Note{row, Repaired, reason, detail})
}

func (p *Plan) skip(row Row, reason, detail string) {
	p.Notes = append(p.Notes, Note{row, Skipped, reason, detail})
}

// incident returns the request for an incident, unless it must be skipped.
func (p *Plan) incident(i Incident) (request Request, ok bool) {
	row := Row{"incident", i.ID, i.Project}
	if !p.checkNames(row) {
		return request, false
	}
	started, ok1 := p.date(row, "started_at", i.StartedAt)
	restored, ok2 := p.date(row, "restored_at", i.RestoredAt)
	finished, ok3 := p.date(row, "finished_at", i.FinishedAt)
	switch {
	case !ok1 || !ok2 || !ok3 || p.inFuture(row, started, restored, finished):
		return request, false
	case started.IsZero():
		p.skip(row, "started_at is missing", "")
		return request, false
	case after(started, restored):
		p.skip(row, "restored_at is before started_at", i.RestoredAt+" and "+i.StartedAt)
		return request, false
	case restored.IsZero() && after(started, finished):
		p.skip(row, "finished_at is before started_at", i.FinishedAt+" and "+i.StartedAt)
		return request, false
	case after(restored, finished):
		p.Repaired(row, "finished_at is before restored_at: recorded as finished when restored", i.FinishedAt+" and "+i.RestoredAt)
		finished = restored
	}
	if finished.IsZero() {
		restored, finished = p.unfinished(row, started, restored)
	}
	return Request{Row: row, Incident: &handlers.IncidentRequest{
		ID: &row.ID, ProjectID: &row.Project, Environment: p.environment(), DeploymentID: p.cause(row, i.Deployment),
		StartedAt: format(started), RestoredAt: format(restored), FinishedAt: format(finished),
	}}, true
}

// unfinished returns the end of an incident that has none. The older service stored
// nothing when a client finished an incident without a date, so such an incident
// looks like one that is still open.
func (p *Plan) unfinished(row Row, started, restored time.Time) (_, finished time.Time) {
	last := restored
	if last.IsZero() {
		last = started
	}
	detail := "last known date " + last.Format(time.RFC3339)
	switch {
	case p.options.CloseUnfinished:
		p.Repaired(row, "it was not finished: closed at its last known date", detail)
		return last, last
	case restored.IsZero():
		p.Notes = append(p.Notes, Note{row, Unclear, "it is not finished and stays open, unless it was finished without a date, which the older service did not store", detail})
	default:
		p.Notes = append(p.Notes, Note{row, Unclear, "it is restored and not finished, unless it was finished without a date, which the older service did not store", detail})
	}
	return restored, time.Time{}
}

// cause returns the deployment that an incident is linked to, or nil.
func (p *Plan) cause(row Row, id string) *string {
	project, known := p.projects[id]
	switch {
	case id == "":
	case !known:
		p.Repaired(row, "its deployment is unknown: recorded without it", id)
	case project != row.Project:
		p.Repaired(row, "its deployment belongs to another project: recorded without it", id+" of project "+project)
	case !p.sent[id]:
		p.Repaired(row, "its deployment is skipped: recorded without it", id)
	default:
		return &id
	}
	return nil
}

// checkNames reports whether a row has an id and a project that em-metrics accepts.
// It skips the row otherwise.
func (p *Plan) checkNames(row Row) bool {
	for _, n := range []struct{ field, value string }{{"id", row.ID}, {"project_id", row.Project}} {
		switch {
		case strings.TrimSpace(n.value) == "":
			p.skip(row, n.field+" is missing", "")
			return false
		case !utf8.ValidString(n.value):
			p.skip(row, n.field+" is not text", fmt.Sprintf("%q", n.value))
			return false
		}
		if err := db.CheckName(n.value); err != nil {
			p.skip(row, n.field+" is not a name that em-metrics accepts", err.Error())
			return false
		}
	}
	return true
}

// date reads a date that must be readable if it is present; a missing one is
// zero. It skips the row otherwise.
func (p *Plan) date(row Row, field, text string) (at time.Time, ok bool) {
	at, remark, err := parseDate(text)
	switch {
	case err != nil:
		p.skip(row, field+" is not readable", err.Error())
	case remark != "":
		p.Repaired(row, field+" "+remark, text)
	}
	return at, err == nil
}

// inFuture reports whether one of the dates is in the future. It skips the row
// if so.
func (p *Plan) inFuture(row Row, dates ...time.Time) bool {
	for _, at := range dates {
		if after(at, p.options.Now) {
			p.skip(row, "it is in the future", at.Format(time.RFC3339))
			return true
		}
	}
	return false
}

func (p *Plan) environment() *string {
	if p.options.Environment == "" {
		return nil
	}
	return &p.options.Environment
}

// after reports whether a is later than b by more than clocks may differ. It is
// false if either is missing.
func after(a, b time.Time) bool {
	return !a.IsZero() && !b.IsZero() && a.Sub(b) > db.ClockTolerance
}

// format writes a date in the form of the API. A missing date is nil.
func format(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := at.UTC().Format(time.RFC3339Nano)
	return &text
}
