// Package client reports deployments and incidents to a running em-metrics
// over HTTP.
package client

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

	"github.com/em-metrics/em-metrics/handlers"
)

const (
	timeout     = 30 * time.Second // of one attempt
	maxAttempts = 6
	firstPause  = 250 * time.Millisecond // between attempts, doubled after each
	maxResponse = 1 << 20                // bytes read of a response
)

// Options say where the service is and how to authenticate. Only URL is
// required.
type Options struct {
	// URL is the address of the service, such as http://localhost:3000.
	URL string
	// Token is sent as a bearer token. It takes precedence over Username.
	Token string
	// Username and Password are sent with basic authentication.
	Username, Password string
	// Transport sends the requests. Nil means one like [http.DefaultTransport] that
	// keeps a connection for each of many concurrent requests.
	Transport http.RoundTripper
	// OnRetry is called with each failure after which the request is sent again,
	// possibly concurrently. Nil means that nothing is called.
	OnRetry func(error)
}

// Client sends requests to one service, as any CI job could. It retries
// transient failures, which is safe: the service records a repeated request
// once. It is safe for concurrent use.
type Client struct {
	base          string
	authorization string
	http          http.Client
	onRetry       func(error)
}

// New returns a client of the service at o.URL. It sends nothing yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not a URL such as http://localhost:3000", o.URL)
	}
	c := &Client{
		base: strings.TrimSuffix(o.URL, "/"),
		http: http.Client{Timeout: timeout, Transport: o.Transport}, onRetry: o.OnRetry,
	}
	if c.onRetry == nil {
		c.onRetry = func(error) {}
	}
	if c.http.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone() // it is one, unless a program replaces it
		transport.MaxIdleConnsPerHost = transport.MaxIdleConns
		c.http.Transport = transport
	}
	if o.Token != "" {
		c.authorization = "Bearer " + o.Token
	} else if o.Username != "" || o.Password != "" {
		request := http.Request{Header: http.Header{}}
		request.SetBasicAuth(o.Username, o.Password)
		c.authorization = request.Header.Get("Authorization")
	}
	return c, nil
}

// RecordDeployment records a deployment in one request: as deployed if
// DeployedAt is set, and otherwise as started. It reports whether the
// deployment was new. A [*RejectedError] means that the request is at fault, or
// that the deployment is recorded with another DeployedAt, which the service keeps.
func (c *Client) RecordDeployment(ctx context.Context, d handlers.DeploymentRequest) (created bool, err error) {
	if isEmpty(d.DeployedAt) || isEmpty(d.ID) {
		stored, err := c.post(ctx, "/deployments", d)
		return stored.created, err
	}
	stored, err := c.finish(ctx, d)
	if err == nil && stored.differs(*d.DeployedAt) {
		err = &RejectedError{status: http.StatusConflict, problem: problem{
			Title:  "The deployment is already deployed",
			Errors: []fieldError{{"deployed_at", "is already recorded as " + stored.DeployedAt + ", which stays"}},
		}}
	}
	return stored.created, err
}

// RecordAborted records in one request that a deployment will not be deployed, and
// reports whether the deployment was new. A [*RejectedError] means that the request
// is at fault.
func (c *Client) RecordAborted(ctx context.Context, d handlers.DeploymentRequest, date string) (created bool, err error) {
	stored, err := c.abort(ctx, d, &date)
	return stored.created, err
}

// isEmpty reports whether an optional field has no value.
func isEmpty(field *string) bool { return field == nil || *field == "" }

// RecordIncident records an incident and whatever is known of its end. It
// reports whether the incident was new. A [*RejectedError] means that the
// request is at fault.
func (c *Client) RecordIncident(ctx context.Context, i handlers.IncidentRequest) (created bool, err error) {
	stored, err := c.post(ctx, "/incidents", i)
	return stored.created, err
}

// recorded is what the service says of a deployment or an incident that it holds.
type recorded struct {
	created    bool
	body       []byte
	DeployedAt string `json:"deployed_at"`
}

// differs reports whether a deployment was deployed at another time.
func (r recorded) differs(deployedAt string) bool {
	sent, err1 := handlers.ParseTime(deployedAt)
	stored, err2 := handlers.ParseTime(r.DeployedAt)
	return err1 == nil && err2 == nil && !sent.Truncate(time.Millisecond).Equal(stored)
}

// post sends a request to record something.
func (c *Client) post(ctx context.Context, path string, body any) (stored recorded, err error) {
	content, err := json.Marshal(body)
	if err != nil {
		return stored, fmt.Errorf("encode the request: %w", err)
	}
	status, answer, err := c.send(ctx, http.MethodPost, path, content)
	if err == nil {
		_ = json.Unmarshal(answer, &stored) // it is stored, whatever the body
		stored.created, stored.body = status == http.StatusCreated, answer
	}
	return stored, err
}

// send sends a request until it succeeds or fails for good.
func (c *Client) send(ctx context.Context, method, path string, content []byte) (status int, answer []byte, err error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		status, answer, err = c.sendOnce(ctx, method, path, content)
		var transient *transientError
		if !errors.As(err, &transient) || attempt == maxAttempts || ctx.Err() != nil {
			return status, answer, err
		}
		c.onRetry(err)
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return status, answer, fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}

func (c *Client) sendOnce(ctx context.Context, method, path string, content []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, fmt.Errorf("send to %s: %w", c.base, err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.authorization != "" {
		request.Header.Set("Authorization", c.authorization)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, &transientError{fmt.Errorf("send: %w", err)}
	}
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return 0, nil, &transientError{fmt.Errorf("read the response: %w", err)}
	}
	if response.StatusCode >= 300 {
		return response.StatusCode, nil, c.failure(response, answer)
	}
	return response.StatusCode, answer, nil
}
