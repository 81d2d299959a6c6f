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

// documentation is the address of the README's section on a type of problem,
// without the type.
const documentation = "https://github.com/em-metrics/em-metrics/blob/main/README.md#error-"

// problem is an error response: a problem document of RFC 9457 with the invalid
// fields. It is also an error, so that a handler can return it.
type problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Errors []fieldError `json:"errors"`

	header map[string]string
	cause  error
	// home is the address of the page, relative to the request, if the problem is
	// shown to a browser.
	home string
}

// fieldError is the error of one field. The message says how to fix it and reads
// on from the name of the field. Fields outside the body go by the name of their
// header or query parameter; "body" is the body as a whole.
type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error returns the cause, if there is one, or the title and the field errors.
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
	return newProblem(http.StatusBadRequest, "bad-request", "The request is malformed", "", errs...)
}

func notFound(detail string) *problem {
	return newProblem(http.StatusNotFound, "not-found", "Not found", detail, fieldError{"path", detail})
}

func methodNotAllowed(method, allowed string) *problem {
	return newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "Method not allowed", "",
		fieldError{"method", fmt.Sprintf("%s is not allowed here; use one of %s", method, allowed)})
}

func unavailable(reason string, cause error) *problem {
	p := newProblem(http.StatusServiceUnavailable, "unavailable", "The service is unavailable",
		reason+"; the request can safely be retried", fieldError{"server", reason})
	p.header, p.cause = map[string]string{"Retry-After": "1"}, cause
	return p
}

// problemOf returns the response for an error of a handler. Details that a client
// cannot act on are only logged.
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
		return unavailable("the request timed out or was canceled", err)
	default:
		p = newProblem(http.StatusInternalServerError, "internal", "Internal error",
			"the error has been logged; the request can safely be retried")
	}
	p.cause = err
	p.Errors = []fieldError{{"server", p.Detail}}
	return p
}

func problemOfStore(e *db.Error) *problem {
	var p *problem
	switch e.Code {
	case db.Missing, db.Malformed:
		p = newProblem(http.StatusBadRequest, "bad-request", "The request is malformed", e.Message)
	case db.Invalid:
		p = newProblem(http.StatusUnprocessableEntity, "unprocessable", "The request is inconsistent", e.Message)
	case db.NotFound:
		p = newProblem(http.StatusNotFound, "not-found", "Not found", e.Message)
	case db.Conflict, db.Ambiguous:
		p = newProblem(http.StatusConflict, "conflict", "The request conflicts with stored data", e.Message)
	case db.Unavailable:
		return unavailable(e.Message, e) // and nothing was stored
	default:
		p = newProblem(http.StatusInternalServerError, "internal", "Internal error", "")
	}
	p.cause = e
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, fieldError(f))
	}
	return p
}

// fail writes the response for an error and logs it: client errors at debug, server
// errors at error.
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
	if p.home != "" && a.writeProblemPage(w, p) {
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // messages contain <placeholders>
	_ = encoder.Encode(p)        // an error means that the client is gone
}
