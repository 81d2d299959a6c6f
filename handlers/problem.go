package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/em-metrics/em-metrics/db"
)

// documentation is where the README explains each type of problem.
const documentation = "https://github.com/em-metrics/em-metrics/blob/main/README.md#error-"

// problem is an answer that says what went wrong: a problem document of RFC
// 9457, with the fields that are wrong. It is an error too, so that a handler
// can return it.
type problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []fieldError `json:"errors"`

	header map[string]string
	cause  error
}

// fieldError is what is wrong with one field, in words that say what would be
// right. A field that is not in the body is named as the request names it: a
// header, a query parameter, or "body" for all of it.
type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error returns the problem for the log.
func (p *problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	text := p.Title
	for _, e := range p.Errors {
		text += "; " + e.Field + " " + e.Message
	}
	return text
}

func newProblem(status int, kind, title, detail string, errs ...fieldError) *problem {
	return &problem{Type: documentation + kind, Title: title, Status: status, Detail: detail, Errors: errs}
}

func badRequest(errs ...fieldError) *problem {
	return newProblem(http.StatusBadRequest, "bad-request", "The request is not well formed", "", errs...)
}

func notFound(detail string) *problem {
	return newProblem(http.StatusNotFound, "not-found", "Not found", detail, fieldError{"path", detail})
}

func methodNotAllowed(method, allowed string) *problem {
	return newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "Method not allowed", "",
		fieldError{"method", fmt.Sprintf("%s is not possible here: use one of %s", method, allowed)})
}

func unavailable(reason string, cause error) *problem {
	p := newProblem(http.StatusServiceUnavailable, "unavailable", "The service cannot do this now",
		reason+"; repeating the request is safe", fieldError{"server", reason})
	p.header, p.cause = map[string]string{"Retry-After": "1"}, cause
	return p
}

// problemOf turns any error of a handler into the answer for it. What a client
// cannot act on is hidden from it and left to the log.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var e *db.Error
	switch {
	case errors.As(err, &e):
		return problemOfStore(e)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable("the request took too long or was given up", err)
	default:
		p = newProblem(http.StatusInternalServerError, "internal", "The service made a mistake",
			"it has been logged; repeating the request is safe")
	}
	p.cause = err
	p.Errors = []fieldError{{"server", p.Detail}}
	return p
}

func problemOfStore(e *db.Error) *problem {
	var p *problem
	switch e.Code {
	case db.Missing:
		p = newProblem(http.StatusBadRequest, "bad-request", "The request is not well formed", e.Message)
	case db.Invalid:
		p = newProblem(http.StatusUnprocessableEntity, "unprocessable", "The request cannot be true", e.Message)
	case db.NotFound:
		p = newProblem(http.StatusNotFound, "not-found", "Not found", e.Message)
	case db.Conflict, db.Ambiguous:
		p = newProblem(http.StatusConflict, "conflict", "The request contradicts what is stored", e.Message)
	case db.Unavailable:
		return unavailable(e.Message, e) // and nothing was stored
	default:
		p = newProblem(http.StatusInternalServerError, "internal", "The service made a mistake", "")
	}
	p.cause = e
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, fieldError(f))
	}
	return p
}

// fail answers a request that failed, and logs it: at debug what the client
// can mend, at error what we must.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	level := slog.LevelDebug
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		level = slog.LevelError
	}
	a.Logger.Log(r.Context(), level, "request failed",
		"method", r.Method, "path", r.URL.Path, "status", p.Status, "error", err)
	for name, value := range p.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // the messages are for people
	_ = encoder.Encode(p)        // a client that has gone cannot be told
}
