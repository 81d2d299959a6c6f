package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/em-metrics/em-metrics/handlers"
)

const (
	clientTimeout = 30 * time.Second
	clientTries   = 6
	firstPause    = 250 * time.Millisecond // doubled with each try
)

// client reports deployments and incidents to a running service, like any CI
// job. It repeats what had no answer, which is safe.
type client struct {
	base          string
	authorization string
	http          *http.Client
}

// refusal is the service's word that a request is wrong: sending it again
// would not help.
type refusal struct{ reason string }

// Error returns the reason.
func (r *refusal) Error() string { return r.reason }

// passing is a failure that may be over when the request is sent again.
type passing struct{ error }

// newClient finds the address and the credential in the environment, unless
// the address is given.
func newClient(environ []string, base string) (*client, error) {
	variables := env.ToMap(environ)
	if problems := readSecretFiles(variables); len(problems) > 0 {
		return nil, fmt.Errorf("read the credential:\n%w", errors.Join(problems...))
	}
	if base == "" {
		base = variables["EM_METRICS_URL"]
	}
	if base == "" {
		port := variables["PORT"]
		if port == "" {
			port = "3000"
		}
		base = "http://localhost:" + port
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address %q is not a URL such as http://localhost:3000", base)
	}
	c := &client{base: strings.TrimSuffix(base, "/"), http: &http.Client{Timeout: clientTimeout}}
	if token := variables["EM_METRICS_TOKEN_AUTH"]; token != "" {
		c.authorization = "Bearer " + token
	} else if username := variables["EM_METRICS_BASIC_AUTH_USERNAME"]; username != "" {
		request := http.Request{Header: http.Header{}}
		request.SetBasicAuth(username, variables["EM_METRICS_BASIC_AUTH_PASSWORD"])
		c.authorization = request.Header.Get("Authorization")
	}
	return c, nil
}

// sendDeployment records a deployment, in one request: as started, or as
// deployed when it says when.
func (c *client) sendDeployment(ctx context.Context, d handlers.DeploymentRequest) (created bool, err error) {
	if d.DeployedAt == nil || d.ID == nil {
		return c.post(ctx, "/deployments", d)
	}
	if d.DeployStartAt == nil {
		d.DeployStartAt = d.DeployedAt
	}
	return c.post(ctx, "/deployments/"+url.PathEscape(*d.ID)+"/deployed", handlers.DeployedRequest{
		CreateIfNotExists: true, ProjectID: d.ProjectID, Environment: d.Environment, FirstCommitAt: d.FirstCommitAt,
		DeployStartAt: d.DeployStartAt, DeployedAt: d.DeployedAt, Rework: d.Rework, User: d.User, Username: d.Username,
	})
}

func (c *client) sendIncident(ctx context.Context, i handlers.IncidentRequest) (created bool, err error) {
	return c.post(ctx, "/incidents", i)
}

// post sends a request and repeats it for as long as the service has no
// answer.
func (c *client) post(ctx context.Context, path string, body any) (created bool, err error) {
	content, err := json.Marshal(body)
	if err != nil {
		return false, fmt.Errorf("encode the request: %w", err)
	}
	pause := firstPause
	for try := 1; ; try++ {
		created, err = c.postOnce(ctx, path, content)
		var passing *passing
		if !errors.As(err, &passing) || try == clientTries {
			return created, err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (c *client) postOnce(ctx context.Context, path string, content []byte) (created bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(content))
	if err != nil {
		return false, fmt.Errorf("send to %s: %w", c.base, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if c.authorization != "" {
		request.Header.Set("Authorization", c.authorization)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return false, &passing{fmt.Errorf("send: %w", err)}
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxLine))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return false, &passing{fmt.Errorf("read the answer: %w", err)}
	}
	switch {
	case response.StatusCode < 300:
		return response.StatusCode == http.StatusCreated, nil
	case response.StatusCode >= 500, response.StatusCode == http.StatusTooManyRequests:
		return false, &passing{fmt.Errorf("%s answered %s: %s", c.base, response.Status, explain(answer))}
	case response.StatusCode == http.StatusUnauthorized, response.StatusCode == http.StatusForbidden:
		return false, fmt.Errorf("%s answered %s: set EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and "+
			"EM_METRICS_BASIC_AUTH_PASSWORD, as the service has them", c.base, response.Status)
	}
	return false, &refusal{explain(answer)}
}

// explain reads the messages of a problem document.
func explain(answer []byte) string {
	var problem struct {
		Title  string `json:"title"`
		Errors []struct {
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Title == "" {
		return fmt.Sprintf("%.200q", answer)
	}
	text := problem.Title
	for _, e := range problem.Errors {
		text += "; " + e.Field + " " + e.Message
	}
	return text
}
