package handlers

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

// query reads the query parameters of a request and collects their errors. An
// unknown parameter is an error, because a misspelled filter would otherwise
// match everything.
type query struct {
	fields
	values url.Values
	known  []string // the parameters read so far
}

func parseQuery(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.add("query", "is malformed; escape special characters, such as %% as %%25")
	}
	return q
}

func (q *query) err() error {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		switch {
		case !slices.Contains(q.known, name):
			q.add(name, "is not a known parameter; known parameters: %s", strings.Join(q.known, ", "))
		case len(q.values[name]) > 1:
			q.add(name, "appears more than once")
		}
	}
	return q.fields.err()
}

// text returns a parameter, or "" if it is absent. It must not be empty.
func (q *query) text(name string) string {
	q.known = append(q.known, name)
	if !q.values.Has(name) {
		return ""
	}
	value := q.values.Get(name)
	q.name(name, value)
	return value
}

// number returns a parameter between least and most, or absent if it is not given.
func (q *query) number(name string, absent, least, most int) int {
	value := q.text(name)
	if value == "" {
		return absent
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		q.add(name, "is %s; send an integer from %d to %d", db.Quote(value), least, most)
		return absent
	}
	return n
}

func (q *query) page() db.Page {
	page := db.Page{
		Limit:  q.number("limit", defaultLimit, 1, maxLimit),
		Offset: q.number("offset", 0, 0, 1<<31-1),
	}
	if value := q.text("cursor"); value != "" {
		cursor, err := parseCursor(value)
		if err != nil {
			q.add("cursor", "is invalid; follow the Link header unchanged")
		}
		page.After = cursor
	}
	return page
}

func (q *query) deploymentState() db.DeploymentState {
	switch value := q.text("state"); value {
	case "":
	case "started":
		return db.StartedDeployment
	case "deployed":
		return db.DeployedDeployment
	case "aborted":
		return db.AbortedDeployment
	case "failed":
		return db.FailedDeployment
	default:
		q.add("state", "is %s; send started, deployed, aborted or failed", db.Quote(value))
	}
	return db.AnyDeployment
}

func (q *query) incidentState() db.IncidentState {
	name := "type"
	value, alias := q.text("type"), q.text("filter")
	if value != "" && alias != "" && value != alias {
		q.add("filter", "is an alias of type, but the values differ; send only one")
	}
	if value == "" && alias != "" {
		name, value = "filter", alias
	}
	switch value {
	case "":
		return db.AnyIncident
	case "in-progress":
		return db.InProgress
	case "unfinished":
		return db.Unfinished
	}
	q.add(name, "is %s; send in-progress or unfinished", db.Quote(value))
	return db.AnyIncident
}

// parseRef returns the deployment or incident that a GET request refers to.
func parseRef(r *http.Request, p httprouter.Params) (db.Ref, error) {
	id, err := pathID(p)
	if err != nil {
		return db.Ref{}, err
	}
	q := parseQuery(r)
	ref := db.Ref{ID: id, Project: q.text("project_id"), Environment: q.text("environment")}
	return ref, q.err()
}

func formatCursor(c db.Cursor) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", c.At.UnixMilli(), c.Row))
}

func parseCursor(value string) (*db.Cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return nil, err
	}
	at, row, _ := strings.Cut(string(raw), ".")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(row, 10, 64)
	if err != nil {
		return nil, err
	}
	return &db.Cursor{At: time.UnixMilli(ms), Row: n}, nil
}
