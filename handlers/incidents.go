package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

// IncidentRequest is the body of POST /incidents. Dates are RFC 3339.
type IncidentRequest struct {
	ID           *string `json:"id,omitempty"`
	ProjectID    *string `json:"project_id,omitempty"`
	Environment  *string `json:"environment,omitempty"`
	DeploymentID *string `json:"deployment_id,omitempty"`
	StartedAt    *string `json:"started_at,omitempty"`
	RestoredAt   *string `json:"restored_at,omitempty"`
	FinishedAt   *string `json:"finished_at,omitempty"`
	User         string  `json:"user,omitempty"`
	Username     string  `json:"username,omitempty"`
}

// command validates the request and returns the command for the store.
func (q IncidentRequest) command(a *api, idempotencyKey string) (db.OpenIncident, error) {
	var f fields
	environment := f.optionalName("environment", q.Environment)
	c := db.OpenIncident{
		Key: db.Key{
			ID:          f.optionalName("id", q.ID),
			Project:     f.requiredName("project_id", q.ProjectID),
			Environment: a.environment(environment),
		},
		AnyEnvironment: environment == "",
		DeploymentID:   f.optionalName("deployment_id", q.DeploymentID),
		StartedAt:      f.optionalTime("started_at", q.StartedAt),
		RestoredAt:     f.optionalTime("restored_at", q.RestoredAt),
		FinishedAt:     f.optionalTime("finished_at", q.FinishedAt),
		IdempotencyKey: idempotencyKey,
	}
	if idempotencyKey != "" {
		f.name("Idempotency-Key", idempotencyKey)
	}
	user := f.user(q.User, q.Username)
	c.Team, c.FillTeam = a.findTeam(user), user != ""
	return c, f.err()
}

// IncidentDateRequest is the body of POST /incidents/:id/restored and
// /finished, which may be empty. The date is RFC 3339.
type IncidentDateRequest struct {
	ProjectID   *string `json:"project_id,omitempty"`
	Environment *string `json:"environment,omitempty"`
	Date        *string `json:"date,omitempty"`
	User        string  `json:"user,omitempty"`
	Username    string  `json:"username,omitempty"`
}

// command validates the request and returns the command for the store.
func (q IncidentDateRequest) command(a *api, id string) (db.RestoreIncident, error) {
	var f fields
	c := db.RestoreIncident{
		Ref: f.ref(id, q.ProjectID, q.Environment),
		At:  f.optionalTime("date", q.Date),
	}
	if user := f.user(q.User, q.Username); user != "" {
		c.Team = a.findTeam(user)
	}
	return c, f.err()
}

// incident is the JSON form of an incident.
type incident struct {
	ID           string  `json:"id"`
	ProjectID    string  `json:"project_id"`
	Environment  string  `json:"environment"`
	TeamID       *string `json:"team_id"`
	DeploymentID *string `json:"deployment_id"`
	StartedAt    *string `json:"started_at"`
	RestoredAt   *string `json:"restored_at"`
	FinishedAt   *string `json:"finished_at"`
}

func showIncident(i *db.Incident) incident {
	return incident{
		ID: i.ID, ProjectID: i.Project, Environment: i.Environment, TeamID: showText(i.Team),
		DeploymentID: showText(i.DeploymentID), StartedAt: showTime(i.StartedAt),
		RestoredAt: showTime(i.RestoredAt), FinishedAt: showTime(i.FinishedAt),
	}
}

// openIncident serves POST /incidents: 201 with the incident, 200 if it was already
// recorded, 409 if it was recorded with different values, 422 if its deployment is
// unknown.
func (a *api) openIncident(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	var request IncidentRequest
	if err := decode(w, r, &request, false); err != nil {
		return err
	}
	command, err := request.command(a, r.Header.Get("Idempotency-Key"))
	if err != nil {
		return err
	}
	return a.execute(w, r, command)
}

// restoreIncident serves POST /incidents/:id/restored: 200 with the incident, 404 if
// it is unknown, 409 if it was restored at another time or the id is ambiguous.
func (a *api) restoreIncident(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	command, err := readCommand[IncidentDateRequest](a, w, r, p)
	if err != nil {
		return err
	}
	return nameDate(a.execute(w, r, command), "restored_at")
}

// finishIncident serves POST /incidents/:id/finished: 200 with the incident, 404 if
// it is unknown, 409 if it was closed at another time or the id is ambiguous.
func (a *api) finishIncident(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	command, err := readCommand[IncidentDateRequest](a, w, r, p)
	if err != nil {
		return err
	}
	return nameDate(a.execute(w, r, db.FinishIncident(command)), "finished_at")
}

// nameDate replaces the field that a store error is about by the one that the
// client sent it as: date.
func nameDate(err error, field string) error {
	var e *db.Error
	if !errors.As(err, &e) || !slices.ContainsFunc(e.Fields, func(f db.FieldError) bool { return f.Field == field }) {
		return err
	}
	named := *e
	named.Fields = nil
	for _, f := range e.Fields {
		if f.Field == field {
			f.Field = "date"
		}
		f.Message = strings.ReplaceAll(f.Message, field, "date") // of the other date, which it contradicts
		named.Fields = append(named.Fields, f)
	}
	return &named
}

// getIncident serves GET /incidents/:id: 200 with the incident, 404 if it is unknown,
// 409 if the id is ambiguous.
func (a *api) getIncident(w http.ResponseWriter, r *http.Request, p httprouter.Params) error {
	ref, err := parseRef(r, p)
	if err != nil {
		return err
	}
	found, err := a.Store.Incident(r.Context(), ref)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, showIncident(found))
}

// listIncidents serves GET /incidents: 200 with an array, newest first, and a Link
// header if there is another page; 400 for bad parameters.
func (a *api) listIncidents(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	q := parseQuery(r)
	filter := db.IncidentFilter{
		State: q.incidentState(), Project: q.text("project_id"), Team: q.text("team_id"),
		Environment: q.text("environment"), Page: q.page(),
	}
	if err := q.err(); err != nil {
		return err
	}
	found, next, err := a.Store.Incidents(r.Context(), filter)
	if err != nil {
		return err
	}
	return writeList(w, r, found, next, showIncident)
}
