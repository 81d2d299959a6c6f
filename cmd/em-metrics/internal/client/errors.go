package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// transientError is a failure that may be over when the request is sent again:
// a network error, or a response of 429 or 5xx.
type transientError struct{ error }

// Unwrap returns the failure itself.
func (e *transientError) Unwrap() error { return e.error }

// RejectedError means that the service found a request at fault: sending the
// same one again would not help.
type RejectedError struct {
	status  int
	problem problem
}

// problem is the part of a problem document (RFC 9457) that explains it.
type problem struct {
	Title  string       `json:"title"`
	Errors []fieldError `json:"errors"`
}

type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error returns the explanation of the service.
func (e *RejectedError) Error() string { return e.problem.String() }

// ConflictsOn reports whether the service holds a different value of the field.
func (e *RejectedError) ConflictsOn(field string) bool {
	return e.status == http.StatusConflict &&
		slices.ContainsFunc(e.problem.Errors, func(f fieldError) bool { return f.Field == field })
}

// failure turns a response that is not a success into an error.
func (c *Client) failure(response *http.Response, body []byte) error {
	switch status := response.StatusCode; {
	case status >= 500 || status == http.StatusTooManyRequests:
		return &transientError{fmt.Errorf("%s answered %s: %s", c.base, response.Status, readProblem(body))}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%s answered %s: set EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and "+
			"EM_METRICS_BASIC_AUTH_PASSWORD, to the credentials of the service (each also as <NAME>_FILE)", c.base, response.Status)
	default:
		return &RejectedError{status: status, problem: readProblem(body)}
	}
}

// readProblem reads a problem document. The title of anything else is the
// beginning of its text.
func readProblem(body []byte) (p problem) {
	if err := json.Unmarshal(body, &p); err != nil || p.Title == "" {
		return problem{Title: fmt.Sprintf("%.200q", body)}
	}
	return p
}

// String returns the title and every error on one line.
func (p problem) String() string {
	text := p.Title
	for _, e := range p.Errors {
		text += "; " + e.Field + " " + e.Message
	}
	return text
}
