package page

import (
	"html/template"
	"net/http"
	"time"
)

// Problem is an error to show to a person.
type Problem struct {
	Status int
	Title  string
	Detail string
	// Docs is the address of the documentation of this type of problem.
	Docs   string
	Errors []FieldError
}

// FieldError is a mistake in a parameter. The message reads on from its name.
type FieldError struct{ Field, Message string }

// problemView is the data of the template of a problem.
type problemView struct {
	frame
	Detail string
	What   string
	Errors []FieldError
	Home   template.URL
	Docs   string
}

// Problem writes a page that says what is wrong with a request. Home is the address of
// the page, relative to the request. If it returns an error, nothing has been written.
func (p *Renderer) Problem(w http.ResponseWriter, problem Problem, home string) error {
	v := problemView{
		frame: p.frame("em-metrics: "+problem.Title, problem.Title, time.UTC),
		What:  problem.Title, Detail: problem.Detail, Errors: problem.Errors, Docs: problem.Docs,
		Home: template.URL(home), //nolint:gosec // a constant of the caller
	}
	return p.write(w, problem.Status, "problem.html", v)
}
