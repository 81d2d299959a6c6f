package legacy

import (
	"time"

	"github.com/em-metrics/em-metrics/handlers"
)

// deployment returns the request for a deployment, unless it must be skipped.
func (p *Plan) deployment(d Deployment) (request Request, ok bool) {
	row := Row{"deployment", d.ID, d.Project}
	if !p.checkNames(row) {
		return request, false
	}
	deployed, ok := p.date(row, "deployed_at", d.DeployedAt)
	if !ok {
		return request, false
	}
	start := p.start(row, d.DeployStartAt)
	if !p.options.CountInstant && !start.IsZero() && deployed.Sub(start).Abs() < instant {
		p.Repaired(row, "deployed_at equals the start, which the older service wrote for an unfinished deployment: recorded as only started", d.DeployedAt)
		deployed = time.Time{}
	}
	if start.IsZero() && deployed.IsZero() {
		p.skip(row, "it has neither a start nor an end", "")
		return request, false
	}
	if !deployed.IsZero() && after(start, deployed) {
		p.Repaired(row, "deploy_start_at is after deployed_at: no duration is recorded", d.DeployStartAt+" and "+d.DeployedAt)
		start = time.Time{}
	}
	first, ok := p.firstCommit(row, d.FirstCommitAt, start, deployed)
	if !ok {
		return request, false
	}
	if !deployed.IsZero() && after(first, start) {
		p.Repaired(row, "first_commit_at is after deploy_start_at: no duration is recorded", d.FirstCommitAt+" and "+d.DeployStartAt)
		start = time.Time{}
	}
	if p.inFuture(row, start, deployed) {
		return request, false
	}
	return Request{Row: row, Deployment: &handlers.DeploymentRequest{
		ID: &row.ID, ProjectID: &row.Project, Environment: p.environment(),
		FirstCommitAt: handlers.NullableDate{Text: format(first)}, DeployStartAt: format(start), DeployedAt: format(deployed),
	}}, true
}

// start reads the start of a deployment. One that is not readable is missing.
func (p *Plan) start(row Row, text string) time.Time {
	start, remark, err := parseDate(text)
	if err != nil {
		p.Repaired(row, "deploy_start_at is not readable: no duration is recorded", err.Error())
	} else if remark != "" {
		p.Repaired(row, "deploy_start_at "+remark, text)
	}
	return start
}

// firstCommit reads the date of the first commit, which must be known and not
// after the end of the deployment.
func (p *Plan) firstCommit(row Row, text string, start, deployed time.Time) (first time.Time, ok bool) {
	first, remark, err := parseDate(text)
	end, problem := deployed, ""
	if end.IsZero() {
		end = start
	}
	switch {
	case err != nil:
		problem = "first_commit_at is not readable"
	case first.IsZero():
		problem = "first_commit_at is missing"
	case after(first, end):
		problem = "first_commit_at is after the deployment"
	case remark != "":
		p.Repaired(row, "first_commit_at "+remark, text)
	}
	switch {
	case problem == "":
		return first, true
	case !p.options.FirstCommitFromStart:
		p.skip(row, problem+", so its lead time is unknown", text)
		return first, false
	case start.IsZero():
		start = deployed
	}
	p.Repaired(row, problem+": replaced by the start of the deployment", text)
	return start, true
}
