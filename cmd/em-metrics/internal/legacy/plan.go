package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers"
)

// legacyInstant is the most that can lie between the two dates that the older
// service made up when a deployment started. No deployment is that quick.
const legacyInstant = 100 * time.Millisecond

// legacyRules choose what the data alone does not tell.
type legacyRules struct {
	environment          string // empty: what the service takes
	countInstant         bool   // a deployment that took no time is deployed
	firstCommitFromStart bool   // an unusable first commit is the start
	now                  time.Time
}

// legacyRequest is one call of the API.
type legacyRequest struct {
	row  legacyRow
	path string
	body any
}

// legacyRow names a row in the report.
type legacyRow struct{ kind, id, project string }

// String returns the name of the row.
func (r legacyRow) String() string {
	return fmt.Sprintf("%s %s of project %s", r.kind, r.id, r.project)
}

// legacyNote is a row that could not be taken as it is: repaired, or left out.
type legacyNote struct {
	row     legacyRow
	leftOut bool
	reason  string // the same for all rows of one sort
	detail  string
}

// legacyPlan is what will be sent and what had to be repaired or left out.
type legacyPlan struct {
	rules    legacyRules
	requests []legacyRequest
	notes    []legacyNote
	projects map[string]string // of the deployments of the store, by id
	sent     map[string]bool   // ids of deployments that are in requests
}

func planLegacy(s legacyStore, rules legacyRules) *legacyPlan {
	p := &legacyPlan{rules: rules, projects: map[string]string{}, sent: map[string]bool{}}
	for _, d := range s.deployments {
		p.projects[d.id] = d.project
		if request, ok := p.deployment(d); ok {
			p.requests = append(p.requests, request)
			p.sent[d.id] = true
		}
	}
	for _, i := range s.incidents {
		if request, ok := p.incident(i); ok {
			p.requests = append(p.requests, request)
		}
	}
	return p
}

func (p *legacyPlan) repaired(row legacyRow, reason, detail string) {
	p.notes = append(p.notes, legacyNote{row: row, reason: reason, detail: detail})
}

func (p *legacyPlan) leaveOut(row legacyRow, reason, detail string) {
	p.notes = append(p.notes, legacyNote{row: row, leftOut: true, reason: reason, detail: detail})
}

// deployment makes the request of a deployment, unless it must be left out.
func (p *legacyPlan) deployment(d legacyDeployment) (request legacyRequest, ok bool) {
	row := legacyRow{"deployment", d.id, d.project}
	if !p.named(row) {
		return request, false
	}
	deployed, ok := p.date(row, "deployed_at", d.deployedAt)
	if !ok {
		return request, false
	}
	start, remark, err := legacyOptionalDate(d.deployStartAt)
	if err != nil {
		p.repaired(row, "deploy_start_at cannot be read: no duration is recorded", err.Error())
	} else if remark != "" {
		p.repaired(row, "deploy_start_at "+remark, d.deployStartAt)
	}
	if !p.rules.countInstant && !start.IsZero() && deployed.Sub(start).Abs() < legacyInstant {
		p.repaired(row, "deployed_at is the start, which the older service wrote when a deployment was not finished: recorded as only started", d.deployedAt)
		deployed = time.Time{}
	}
	if start.IsZero() && deployed.IsZero() {
		p.leaveOut(row, "it has neither a start nor an end", "")
		return request, false
	}
	if !deployed.IsZero() && after(start, deployed) {
		p.repaired(row, "deploy_start_at is after deployed_at: no duration is recorded", d.deployStartAt+" and "+d.deployedAt)
		start = time.Time{}
	}
	first, ok := p.firstCommit(row, d.firstCommitAt, start, deployed)
	if !ok {
		return request, false
	}
	if !deployed.IsZero() && after(first, start) {
		p.repaired(row, "first_commit_at is after deploy_start_at: no duration is recorded", d.firstCommitAt+" and "+d.deployStartAt)
		start = time.Time{}
	}
	if p.future(row, start, deployed) {
		return request, false
	}
	return p.deploymentRequest(row, first, start, deployed), true
}

// firstCommit reads the first commit. It must be known, and not after the end.
func (p *legacyPlan) firstCommit(row legacyRow, text string, start, deployed time.Time) (first time.Time, ok bool) {
	first, remark, err := legacyOptionalDate(text)
	end, reason := deployed, ""
	if end.IsZero() {
		end = start
	}
	switch {
	case err != nil:
		reason = "first_commit_at cannot be read"
	case first.IsZero():
		reason = "first_commit_at is not there"
	case after(first, end):
		reason = "first_commit_at is after the deployment"
	case remark != "":
		p.repaired(row, "first_commit_at "+remark, text)
	}
	switch {
	case reason == "":
		return first, true
	case !p.rules.firstCommitFromStart:
		p.leaveOut(row, reason+", so its lead time is not known", text)
		return first, false
	case start.IsZero():
		start = deployed
	}
	p.repaired(row, reason+": the start of the deployment was taken", text)
	return start, true
}

func (p *legacyPlan) deploymentRequest(row legacyRow, first, start, deployed time.Time) legacyRequest {
	if deployed.IsZero() {
		return legacyRequest{row, "/deployments", handlers.DeploymentRequest{
			ID: &row.id, ProjectID: &row.project, Environment: p.environment(),
			FirstCommitAt: legacyText(first), DeployStartAt: legacyText(start),
		}}
	}
	return legacyRequest{row, "/deployments/" + url.PathEscape(row.id) + "/deployed", handlers.DeployedRequest{
		CreateIfNotExists: true, ProjectID: &row.project, Environment: p.environment(),
		FirstCommitAt: legacyText(first), DeployStartAt: legacyText(start), DeployedAt: legacyText(deployed),
	}}
}

// incident makes the request of an incident, unless it must be left out.
func (p *legacyPlan) incident(i legacyIncident) (request legacyRequest, ok bool) {
	row := legacyRow{"incident", i.id, i.project}
	if !p.named(row) {
		return request, false
	}
	started, ok1 := p.date(row, "started_at", i.startedAt)
	restored, ok2 := p.date(row, "restored_at", i.restoredAt)
	finished, ok3 := p.date(row, "finished_at", i.finishedAt)
	switch {
	case !ok1 || !ok2 || !ok3 || p.future(row, started, restored, finished):
		return request, false
	case started.IsZero():
		p.leaveOut(row, "started_at is not there", "")
		return request, false
	case after(started, restored):
		p.leaveOut(row, "restored_at is before started_at", i.restoredAt+" and "+i.startedAt)
		return request, false
	case restored.IsZero() && after(started, finished):
		p.leaveOut(row, "finished_at is before started_at", i.finishedAt+" and "+i.startedAt)
		return request, false
	case after(restored, finished):
		p.repaired(row, "finished_at is before restored_at: recorded as finished when restored", i.finishedAt+" and "+i.restoredAt)
		finished = restored
	}
	return legacyRequest{row, "/incidents", handlers.IncidentRequest{
		ID: &row.id, ProjectID: &row.project, Environment: p.environment(), DeploymentID: p.cause(row, i.deployment),
		StartedAt: legacyText(started), RestoredAt: legacyText(restored), FinishedAt: legacyText(finished),
	}}, true
}

// cause is the deployment that an incident is linked to, if it can be.
func (p *legacyPlan) cause(row legacyRow, id string) *string {
	project, known := p.projects[id]
	switch {
	case id == "":
	case !known:
		p.repaired(row, "its deployment is unknown: recorded without it", id)
	case project != row.project:
		p.repaired(row, "its deployment is of another project: recorded without it", id+" of project "+project)
	case !p.sent[id]:
		p.repaired(row, "its deployment is left out: recorded without it", id)
	default:
		return &id
	}
	return nil
}

// named tells whether a row has what names it.
func (p *legacyPlan) named(row legacyRow) bool {
	for _, n := range []struct{ field, value string }{{"id", row.id}, {"project_id", row.project}} {
		switch {
		case strings.TrimSpace(n.value) == "":
			p.leaveOut(row, "it has no "+n.field, "")
			return false
		case !utf8.ValidString(n.value):
			p.leaveOut(row, "its "+n.field+" is not text", fmt.Sprintf("%q", n.value))
			return false
		}
	}
	return true
}

// date reads a date without which the row is worth nothing. One that is not
// there is zero.
func (p *legacyPlan) date(row legacyRow, field, text string) (at time.Time, ok bool) {
	at, remark, err := legacyOptionalDate(text)
	switch {
	case err != nil:
		p.leaveOut(row, field+" cannot be read", err.Error())
	case remark != "":
		p.repaired(row, field+" "+remark, text)
	}
	return at, err == nil
}

func (p *legacyPlan) future(row legacyRow, dates ...time.Time) bool {
	for _, at := range dates {
		if after(at, p.rules.now) {
			p.leaveOut(row, "it lies in the future", at.Format(time.RFC3339))
			return true
		}
	}
	return false
}

func (p *legacyPlan) environment() *string {
	if p.rules.environment == "" {
		return nil
	}
	return &p.rules.environment
}

// after tells whether the first date is later by more than clocks differ. A
// date that is not known is not late.
func after(a, b time.Time) bool {
	return !a.IsZero() && !b.IsZero() && a.Sub(b) > db.ClockTolerance
}

func legacyOptionalDate(text string) (time.Time, string, error) {
	if strings.TrimSpace(text) == "" {
		return time.Time{}, "", nil
	}
	return legacyDate(text)
}

// legacyText writes a date as the API reads it.
func legacyText(at time.Time) *string {
	if at.IsZero() {
		return nil
	}
	text := at.UTC().Format(time.RFC3339Nano)
	return &text
}
