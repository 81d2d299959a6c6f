package handlers

import (
	"cmp"
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
	Rework        Flag    `json:"rework,omitempty"`
	User          string  `json:"user,omitempty"`
	Username      string  `json:"username,omitempty"`
}

// command validates the request and returns the command for the store.
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
		Rework:        bool(q.Rework),
	}
	user := f.user(q.User, q.Username)
	c.Team, c.FillTeam = a.findTeam(user), user != ""
	return c, f.err()
}

// DeployedRequest is the body of POST /deployments/:id/deployed, which may be
// empty. Dates are RFC 3339.
type DeployedRequest struct {
	ID                *string `json:"id,omitempty"` // repeated here by clients of the older service
	ProjectID         *string `json:"project_id,omitempty"`
	Environment       *string `json:"environment,omitempty"`
	CreateIfNotExists Flag    `json:"create_if_not_exists,omitempty"`
	FirstCommitAt     *string `json:"first_commit_at,omitempty"`
	DeployStartAt     *string `json:"deploy_start_at,omitempty"`
	DeployedAt        *string `json:"deployed_at,omitempty"`
	Rework            Flag    `json:"rework,omitempty"`
	User              string  `json:"user,omitempty"`
	Username          string  `json:"username,omitempty"`
}

// command validates the request and returns the command for the store.
func (q DeployedRequest) command(a *api, id string) (db.FinishDeployment, error) {
	var f fields
	if q.ID != nil && *q.ID != "" && *q.ID != id {
		f.add("id", "is %s but the path has %s; send the same value or omit the field", db.Quote(*q.ID), db.Quote(id))
	}
	c := db.FinishDeployment{
		Ref: db.Ref{
			ID:          id,
			Project:     f.optionalName("project_id", q.ProjectID),
			Environment: f.optionalName("environment", q.Environment),
		},
		DeployedAt: f.optionalTime("deployed_at", q.DeployedAt),
		Rework:     bool(q.Rework),
	}
	c.FirstCommitAt = f.optionalTime("first_commit_at", q.FirstCommitAt)
	start := f.optionalTime("deploy_start_at", q.DeployStartAt)
	user := f.user(q.User, q.Username)
	if user != "" {
		c.Team = a.findTeam(user)
	}
	if q.CreateIfNotExists {
		// The default environment applies, so that a run with the same id that
		// deployed to another environment is not mistaken for this one.
		if c.Project != "" {
			c.Environment = a.environment(c.Environment)
		}
		c.Create = &db.StartDeployment{
			Key:           db.Key{ID: id, Project: c.Project, Environment: a.environment(c.Environment)},
			FirstCommitAt: c.FirstCommitAt,
			DeployStartAt: start,
			Team:          a.findTeam(user),
		}
	}
	return c, f.err()
}

// deployment is the JSON form of a deployment.
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

// startDeployment serves POST /deployments: 201 with the deployment, 200 if it was
// already recorded, 409 if it was recorded with different values.
func (a *api) startDeployment(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	var request DeploymentRequest
	if err := decode(w, r, &request, false); err != nil {
		return err
	}
	command, err := request.command(a)
	if err != nil {
		return err
	}
	return a.execute(w, r, command)
}

// finishDeployment serves POST /deployments/:id/deployed: 200 with the deployment,
// 201 if create_if_not_exists created it, 404 if it is unknown, 409 if it has
// another first commit or the id is ambiguous.
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
	err = a.execute(w, r, command)
	if db.HasCode(err, db.NotFound) {
		p := problemOf(err)
		p.Errors = append(p.Errors, fieldError{"create_if_not_exists",
			"is not set; send true with project_id and first_commit_at to create the deployment in this call"})
		return p
	}
	return err
}

// getDeployment serves GET /deployments/:id: 200 with the deployment, 404 if it is
// unknown, 409 if the id is ambiguous.
func (a *api) getDeployment(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	ref, err := parseRef(r, p)
	if err != nil {
		return err
	}
	found, err := a.Store.Deployment(r.Context(), ref)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, showDeployment(found))
}

// listDeployments serves GET /deployments: 200 with an array, newest first, and a
// Link header if there is another page; 400 for bad parameters.
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

// execute executes a command and writes the resulting deployment or incident: 201
// if the command created it, 200 otherwise.
func (a *api) execute(w http.ResponseWriter, r *http.Request, command db.Command) error {
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

// environment returns the given environment, or the default one if it is empty.
func (a *api) environment(given string) string { return cmp.Or(given, a.Environment) }

// findTeam returns a function that finds the team of a project for a user. The user
// may be empty.
func (a *api) findTeam(user string) db.TeamFunc {
	return func(project string) string { return a.Catalog.Team(project, user) }
}
