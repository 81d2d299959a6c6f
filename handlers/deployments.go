package handlers

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

// DeploymentRequest is the body of POST /deployments. Dates are RFC 3339.
type DeploymentRequest struct {
	ID            *string `json:"id,omitempty"`
	ProjectID     *string `json:"project_id,omitempty"`
	Environment   *string `json:"environment,omitempty"`
	FirstCommitAt *string `json:"first_commit_at,omitempty"`
	DeployStartAt *string `json:"deploy_start_at,omitempty"`
	DeployedAt    *string `json:"deployed_at,omitempty"`
	Rework        bool    `json:"rework,omitempty"`
	User          string  `json:"user,omitempty"`
	Username      string  `json:"username,omitempty"`
}

// command validates the request and makes the store's command of it.
func (q DeploymentRequest) command(a *api) (db.StartDeployment, error) {
	var f fields
	c := db.StartDeployment{
		Key: db.Key{
			ID:          f.requiredName("id", q.ID),
			Project:     f.requiredName("project_id", q.ProjectID),
			Environment: a.environment(f.optionalName("environment", q.Environment)),
		},
		FirstCommitAt: f.requiredTime("first_commit_at", q.FirstCommitAt),
		DeployStartAt: f.optionalTime("deploy_start_at", q.DeployStartAt),
		DeployedAt:    f.optionalTime("deployed_at", q.DeployedAt),
		Rework:        q.Rework,
	}
	user := f.user(q.User, q.Username)
	c.Team, c.FillTeam = a.teamOf(user), user != ""
	return c, f.err()
}

// DeployedRequest is the body of POST /deployments/:id/deployed, which may be
// empty. Dates are RFC 3339.
type DeployedRequest struct {
	ID                *string `json:"id,omitempty"` // the older service's clients repeat it here
	ProjectID         *string `json:"project_id,omitempty"`
	Environment       *string `json:"environment,omitempty"`
	CreateIfNotExists bool    `json:"create_if_not_exists,omitempty"`
	FirstCommitAt     *string `json:"first_commit_at,omitempty"`
	DeployStartAt     *string `json:"deploy_start_at,omitempty"`
	DeployedAt        *string `json:"deployed_at,omitempty"`
	Rework            bool    `json:"rework,omitempty"`
	User              string  `json:"user,omitempty"`
	Username          string  `json:"username,omitempty"`
}

func (q DeployedRequest) command(a *api, id string) (db.FinishDeployment, error) {
	var f fields
	if q.ID != nil && *q.ID != id {
		f.add("id", "is %.60q and the path says %.60q: leave it out, or send the same", *q.ID, id)
	}
	c := db.FinishDeployment{
		Ref: db.Ref{
			ID:          id,
			Project:     f.optionalName("project_id", q.ProjectID),
			Environment: f.optionalName("environment", q.Environment),
		},
		DeployedAt: f.optionalTime("deployed_at", q.DeployedAt),
		Rework:     q.Rework,
	}
	firstCommit, start := f.optionalTime("first_commit_at", q.FirstCommitAt), f.optionalTime("deploy_start_at", q.DeployStartAt)
	user := f.user(q.User, q.Username)
	if user != "" {
		c.Team = a.teamOf(user)
	}
	if q.CreateIfNotExists {
		// What may be created is named in full, so that the run which deployed
		// to another environment before is not taken for this one.
		if c.Project != "" {
			c.Environment = a.environment(c.Environment)
		}
		c.Create = &db.StartDeployment{
			Key:           db.Key{ID: id, Project: c.Project, Environment: a.environment(c.Environment)},
			FirstCommitAt: firstCommit,
			DeployStartAt: start,
			Team:          a.teamOf(user),
		}
	}
	return c, f.err()
}

// deployment is a deployment as the API shows it.
type deployment struct {
	ID            string  `json:"id"`
	ProjectID     string  `json:"project_id"`
	Environment   string  `json:"environment"`
	TeamID        *string `json:"team_id"`
	FirstCommitAt *string `json:"first_commit_at"`
	DeployStartAt *string `json:"deploy_start_at"`
	DeployedAt    *string `json:"deployed_at"`
	Rework        bool    `json:"rework"`
}

func showDeployment(d *db.Deployment) deployment {
	return deployment{
		ID: d.ID, ProjectID: d.Project, Environment: d.Environment, TeamID: showText(d.Team),
		FirstCommitAt: showTime(d.FirstCommitAt), DeployStartAt: showTime(d.DeployStartAt),
		DeployedAt: showTime(d.DeployedAt), Rework: d.Rework,
	}
}

func (a *api) startDeployment(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	var request DeploymentRequest
	if err := decode(w, r, &request, false); err != nil {
		return err
	}
	command, err := request.command(a)
	if err != nil {
		return err
	}
	return a.do(w, r, command)
}

func (a *api) finishDeployment(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	id, err := pathID(p)
	if err != nil {
		return err
	}
	var request DeployedRequest
	if err := decode(w, r, &request, true); err != nil {
		return err
	}
	command, err := request.command(a, id)
	if err != nil {
		return err
	}
	err = a.do(w, r, command)
	if db.HasCode(err, db.NotFound) {
		p := problemOf(err)
		p.Errors = append(p.Errors, fieldError{"create_if_not_exists",
			"is not true: send true, project_id and first_commit_at to record the deployment with this call"})
		return p
	}
	return err
}

func (a *api) getDeployment(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	ref, err := refOf(r, p)
	if err != nil {
		return err
	}
	found, err := a.Store.Deployment(r.Context(), ref)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, showDeployment(found))
}

func (a *api) listDeployments(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	filter := db.DeploymentFilter{
		Project: q.text("project_id"), Team: q.text("team_id"), Environment: q.text("environment"), Page: q.page(),
	}
	if err := q.err(); err != nil {
		return err
	}
	found, next, err := a.Store.Deployments(r.Context(), filter)
	if err != nil {
		return err
	}
	return writeList(w, r, found, next, showDeployment)
}

// do carries out a command and shows what it led to: 201 if it created
// something, 200 otherwise.
func (a *api) do(w http.ResponseWriter, r *http.Request, command db.Command) error {
	outcomes, err := a.Store.Do(r.Context(), command)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if outcomes[0].Created {
		status = http.StatusCreated
	}
	if incident := outcomes[0].Incident; incident != nil {
		return writeJSON(w, status, showIncident(incident))
	}
	return writeJSON(w, status, showDeployment(outcomes[0].Deployment))
}

// environment is the one named, or the one this service stands for.
func (a *api) environment(named string) string {
	if named != "" {
		return named
	}
	return a.Environment
}

// teamOf finds the team of a project for the user named, who may be nobody.
func (a *api) teamOf(user string) db.TeamFunc {
	return func(project string) string { return a.Catalog.Team(project, user) }
}
