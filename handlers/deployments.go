package handlers

import (
	"cmp"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

// DeploymentRequest is the body of POST /deployments. Dates are RFC 3339.
type DeploymentRequest struct {
	ID            *string        `json:"id,omitempty"`
	ProjectID     *string        `json:"project_id,omitempty"`
	Environment   *string        `json:"environment,omitempty"`
	FirstCommitAt NullableDate   `json:"first_commit_at,omitzero"`
	Commit        *string        `json:"commit,omitempty"`
	Commits       CommitRequests `json:"commits,omitzero" strictjson:"strict"`
	DeployStartAt *string        `json:"deploy_start_at,omitempty"`
	DeployedAt    *string        `json:"deployed_at,omitempty"`
	Rework        Flag           `json:"rework,omitempty"`
	Rollback      OptionalFlag   `json:"rollback,omitzero"`
	Failed        Flag           `json:"failed,omitempty"`
	User          string         `json:"user,omitempty"`
	Username      string         `json:"username,omitempty"`
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
		FirstCommitAt:      f.firstCommit(q.FirstCommitAt, q.Commit == nil && q.Commits == nil),
		FirstCommitUnknown: q.FirstCommitAt.Null,
		Commit:             f.optionalName("commit", q.Commit),
		Commits:            f.commits(q.Commits),
		DeployStartAt:      f.optionalTime("deploy_start_at", q.DeployStartAt),
		DeployedAt:         f.optionalTime("deployed_at", q.DeployedAt),
		Rework:             bool(q.Rework),
		Rollback:           db.NullBool(q.Rollback),
		Failed:             bool(q.Failed),
	}
	f.checkFirstCommit(c.FirstCommitAt, c.Commits)
	user := f.user(q.User, q.Username)
	c.Team, c.FillTeam = a.findTeam(user), user != ""
	return c, f.err()
}

// DeployedRequest is the body of POST /deployments/:id/deployed, which may be
// empty. Dates are RFC 3339.
type DeployedRequest struct {
	ID                *string        `json:"id,omitempty"` // repeated here by clients of the older service
	ProjectID         *string        `json:"project_id,omitempty"`
	Environment       *string        `json:"environment,omitempty"`
	CreateIfNotExists Flag           `json:"create_if_not_exists,omitempty"`
	FirstCommitAt     NullableDate   `json:"first_commit_at,omitzero"`
	Commit            *string        `json:"commit,omitempty"`
	Commits           CommitRequests `json:"commits,omitzero" strictjson:"strict"`
	DeployStartAt     *string        `json:"deploy_start_at,omitempty"`
	DeployedAt        *string        `json:"deployed_at,omitempty"`
	Rework            Flag           `json:"rework,omitempty"`
	Rollback          OptionalFlag   `json:"rollback,omitzero"`
	Failed            Flag           `json:"failed,omitempty"`
	User              string         `json:"user,omitempty"`
	Username          string         `json:"username,omitempty"`
}

// command validates the request and returns the command for the store.
func (q DeployedRequest) command(a *api, id string) (db.FinishDeployment, error) {
	var f fields
	f.sameID(q.ID, id)
	c := db.FinishDeployment{
		Ref:           f.ref(id, q.ProjectID, q.Environment),
		FirstCommitAt: f.firstCommit(q.FirstCommitAt, false),
		Commit:        f.optionalName("commit", q.Commit),
		Commits:       f.commits(q.Commits),
		DeployedAt:    f.optionalTime("deployed_at", q.DeployedAt),
		Rework:        bool(q.Rework),
		Rollback:      db.NullBool(q.Rollback),
		Failed:        bool(q.Failed),
	}
	f.checkFirstCommit(c.FirstCommitAt, c.Commits)
	start := f.optionalTime("deploy_start_at", q.DeployStartAt)
	user := f.user(q.User, q.Username)
	if user != "" {
		c.Team = a.findTeam(user)
	}
	if q.CreateIfNotExists {
		c.Environment = a.environmentToCreate(c.Ref)
		c.Create = &db.StartDeployment{
			Key:                db.Key{ID: id, Project: c.Project, Environment: a.environment(c.Environment)},
			FirstCommitAt:      c.FirstCommitAt,
			FirstCommitUnknown: q.FirstCommitAt.Null,
			DeployStartAt:      start,
			Team:               a.findTeam(user),
		}
	}
	return c, f.err()
}

// environmentToCreate returns the environment of a deployment that is created if it
// does not exist. The default environment applies, so that a run with the same id that
// deployed to another environment is not mistaken for this one.
func (a *api) environmentToCreate(ref db.Ref) string {
	if ref.Project == "" {
		return ref.Environment
	}
	return a.environment(ref.Environment)
}

// AbortedRequest is the body of POST /deployments/:id/aborted, which may be empty.
// Dates are RFC 3339.
type AbortedRequest struct {
	ID                *string        `json:"id,omitempty"`
	ProjectID         *string        `json:"project_id,omitempty"`
	Environment       *string        `json:"environment,omitempty"`
	Date              *string        `json:"date,omitempty"`
	CreateIfNotExists Flag           `json:"create_if_not_exists,omitempty"`
	FirstCommitAt     NullableDate   `json:"first_commit_at,omitzero"`
	Commit            *string        `json:"commit,omitempty"`
	Commits           CommitRequests `json:"commits,omitzero" strictjson:"strict"`
	DeployStartAt     *string        `json:"deploy_start_at,omitempty"`
	Rework            Flag           `json:"rework,omitempty"`
	Rollback          OptionalFlag   `json:"rollback,omitzero"`
	User              string         `json:"user,omitempty"`
	Username          string         `json:"username,omitempty"`
}

// command validates the request and returns the command for the store.
func (q AbortedRequest) command(a *api, id string) (db.AbortDeployment, error) {
	var f fields
	f.sameID(q.ID, id)
	c := db.AbortDeployment{
		Ref: f.ref(id, q.ProjectID, q.Environment),
		At:  f.optionalTime("date", q.Date),
	}
	start := db.StartDeployment{
		FirstCommitAt:      f.firstCommit(q.FirstCommitAt, false),
		FirstCommitUnknown: q.FirstCommitAt.Null,
		Commit:             f.optionalName("commit", q.Commit),
		Commits:            f.commits(q.Commits),
		DeployStartAt:      f.optionalTime("deploy_start_at", q.DeployStartAt),
		Rework:             bool(q.Rework),
		Rollback:           db.NullBool(q.Rollback),
	}
	f.checkFirstCommit(start.FirstCommitAt, start.Commits)
	user := f.user(q.User, q.Username)
	if user != "" {
		c.Team = a.findTeam(user)
	}
	if q.CreateIfNotExists {
		c.Environment = a.environmentToCreate(c.Ref)
		start.Key = db.Key{ID: id, Project: c.Project, Environment: a.environment(c.Environment)}
		start.Team = a.findTeam(user)
		c.Create = &start
	}
	return c, f.err()
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
// another commit, or without one another first commit, or the id is ambiguous.
func (a *api) finishDeployment(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	command, err := readCommand[DeployedRequest](a, w, r, p)
	if err != nil {
		return err
	}
	return suggestCreating(a.execute(w, r, command))
}

// abortDeployment serves POST /deployments/:id/aborted: 200 with the deployment, 201
// if create_if_not_exists created it, 404 if it is unknown, 409 if it is deployed or
// the id is ambiguous.
func (a *api) abortDeployment(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	command, err := readCommand[AbortedRequest](a, w, r, p)
	if err != nil {
		return err
	}
	return suggestCreating(a.execute(w, r, command))
}

// suggestCreating adds to the error for an unknown deployment how to create it.
func suggestCreating(err error) error {
	if !db.HasCode(err, db.NotFound) {
		return err
	}
	p := problemOf(err)
	p.Errors = append(p.Errors, fieldError{"create_if_not_exists",
		"is not set; send true with project_id and first_commit_at to create the deployment in this call"})
	return p
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
		State: q.deploymentState(), Commit: q.text("commit"),
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
	shown := showDeployment(outcomes[0].Deployment)
	if outcomes[0].Superseded {
		shown.Live = new(bool)
	}
	return writeJSON(w, status, shown)
}

// environment returns the given environment, or the default one if it is empty.
func (a *api) environment(given string) string { return cmp.Or(given, a.Environment) }

// findTeam returns a function that finds the team of a project for a user. The user
// may be empty.
func (a *api) findTeam(user string) db.TeamFunc {
	return func(project string) string { return a.Catalog.Team(project, user) }
}
