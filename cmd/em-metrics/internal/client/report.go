package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/em-metrics/em-metrics/handlers"
)

// Deployment is a deployment that the service holds.
type Deployment struct {
	ID         string `json:"id"`
	Commit     string `json:"commit"`
	DeployedAt string `json:"deployed_at"` // empty unless it is deployed
}

// Start reports that a deployment has started, and returns what is recorded, as JSON.
func (c *Client) Start(ctx context.Context, d handlers.DeploymentRequest) ([]byte, error) {
	stored, err := c.post(ctx, "/deployments", d)
	return stored.body, err
}

// Finish reports that a deployment is deployed, with everything that is known of its
// start, and returns what is recorded.
func (c *Client) Finish(ctx context.Context, d handlers.DeploymentRequest) ([]byte, error) {
	stored, err := c.finish(ctx, d)
	return stored.body, err
}

func (c *Client) finish(ctx context.Context, d handlers.DeploymentRequest) (recorded, error) {
	return c.post(ctx, "/deployments/"+url.PathEscape(*d.ID)+"/deployed", handlers.DeployedRequest{
		CreateIfNotExists: true, ProjectID: d.ProjectID, Environment: d.Environment,
		FirstCommitAt: d.FirstCommitAt, Commit: d.Commit, Commits: d.Commits,
		DeployStartAt: d.DeployStartAt, DeployedAt: d.DeployedAt,
		Rework: d.Rework, Rollback: d.Rollback, Failed: d.Failed, User: d.User, Username: d.Username,
	})
}

// Abort reports that a deployment will not be deployed, with everything that is known
// of its start, and returns what is recorded. The date may be nil: now.
func (c *Client) Abort(ctx context.Context, d handlers.DeploymentRequest, date *string) ([]byte, error) {
	stored, err := c.abort(ctx, d, date)
	return stored.body, err
}

func (c *Client) abort(ctx context.Context, d handlers.DeploymentRequest, date *string) (recorded, error) {
	return c.post(ctx, "/deployments/"+url.PathEscape(*d.ID)+"/aborted", handlers.AbortedRequest{
		CreateIfNotExists: true, Date: date, ProjectID: d.ProjectID, Environment: d.Environment,
		FirstCommitAt: d.FirstCommitAt, Commit: d.Commit, Commits: d.Commits, DeployStartAt: d.DeployStartAt,
		Rework: d.Rework, Rollback: d.Rollback, User: d.User, Username: d.Username,
	})
}

// Deployment returns the deployment of a project in an environment with an id, and
// whether it is recorded.
func (c *Client) Deployment(ctx context.Context, project, environment, id string) (d Deployment, found bool, err error) {
	query := url.Values{"project_id": {project}, "environment": {environment}}
	err = c.get(ctx, "/deployments/"+url.PathEscape(id)+"?"+query.Encode(), &d)
	var rejected *RejectedError
	if errors.As(err, &rejected) && rejected.status == http.StatusNotFound {
		return d, false, nil
	}
	return d, err == nil, err
}

// Deployed returns the newest deployments of a project in an environment that are
// deployed, newest first.
func (c *Client) Deployed(ctx context.Context, project, environment string, limit int) (list []Deployment, err error) {
	query := url.Values{"project_id": {project}, "environment": {environment}, "state": {"deployed"}, "limit": {strconv.Itoa(limit)}}
	return list, c.get(ctx, "/deployments?"+query.Encode(), &list)
}

// OpenIncident reports an incident and returns what is recorded, as JSON.
func (c *Client) OpenIncident(ctx context.Context, i handlers.IncidentRequest) ([]byte, error) {
	stored, err := c.post(ctx, "/incidents", i)
	return stored.body, err
}

// UpdateIncident reports that an incident is "restored" or "finished", and returns
// what is recorded.
func (c *Client) UpdateIncident(ctx context.Context, id, event string, r handlers.IncidentDateRequest) ([]byte, error) {
	stored, err := c.post(ctx, "/incidents/"+url.PathEscape(id)+"/"+event, r)
	return stored.body, err
}

// Incidents returns the incidents that the query asks for, newest first, as JSON.
func (c *Client) Incidents(ctx context.Context, query url.Values) (list json.RawMessage, err error) {
	return list, c.get(ctx, "/incidents?"+query.Encode(), &list)
}

// get asks for JSON.
func (c *Client) get(ctx context.Context, path string, dest any) error {
	_, answer, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, dest); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	return nil
}
