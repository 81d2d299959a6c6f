package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/em-metrics/em-metrics/handlers"
)

// Commit is a commit that a deployment brings.
type Commit struct {
	SHA string    `json:"sha"`
	At  time.Time `json:"at"` // its author date
}

// Report is what a CI job knows of a deployment. Fields that are empty are not sent.
type Report struct {
	ID                string          `json:"id,omitempty"`
	ProjectID         string          `json:"project_id,omitempty"`
	Environment       string          `json:"environment,omitempty"`
	CreateIfNotExists bool            `json:"create_if_not_exists,omitempty"`
	Commit            string          `json:"commit,omitempty"`
	Commits           []Commit        `json:"commits,omitzero"`         // nil means unknown
	FirstCommitAt     json.RawMessage `json:"first_commit_at,omitzero"` // null means unknown
	DeployStartAt     string          `json:"deploy_start_at,omitempty"`
	DeployedAt        string          `json:"deployed_at,omitempty"`
	Date              string          `json:"date,omitempty"` // when it was aborted
	Rework            bool            `json:"rework,omitempty"`
	Rollback          bool            `json:"rollback,omitempty"`
	User              string          `json:"user,omitempty"`
}

// Deployment is a deployment that the service holds.
type Deployment struct {
	ID         string `json:"id"`
	Commit     string `json:"commit"`
	DeployedAt string `json:"deployed_at"` // empty unless it is deployed
}

// Start reports that a deployment has started, and returns what is recorded, as JSON.
func (c *Client) Start(ctx context.Context, r Report) ([]byte, error) {
	stored, err := c.post(ctx, "/deployments", r)
	return stored.body, err
}

// Finish reports that a deployment is deployed, and returns what is recorded.
func (c *Client) Finish(ctx context.Context, r Report) ([]byte, error) {
	return c.postAbout(ctx, r, "deployed")
}

// Abort reports that a deployment will not be deployed, and returns what is recorded.
func (c *Client) Abort(ctx context.Context, r Report) ([]byte, error) {
	return c.postAbout(ctx, r, "aborted")
}

func (c *Client) postAbout(ctx context.Context, r Report, event string) ([]byte, error) {
	path := "/deployments/" + url.PathEscape(r.ID) + "/" + event
	r.ID = ""
	stored, err := c.post(ctx, path, r)
	return stored.body, err
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
