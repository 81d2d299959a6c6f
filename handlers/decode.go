package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers/strictjson"
)

const maxBody = 1 << 20 // bytes; twice what the most commits take

// decode strictly decodes the JSON body of a request into dest, a pointer to a
// struct. If optional is set, an empty body is the same as {}.
func decode(w http.ResponseWriter, r *http.Request, dest any, optional bool) error {
	if r.URL.RawQuery != "" {
		// A project_id that was sent there would silently be ignored.
		return badRequest(fieldError{"query", "is not supported here; send the parameters as fields of the body"})
	}
	body, err := readBody(w, r)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return newProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large", "",
			fieldError{"body", fmt.Sprintf("must be at most %d bytes", maxBody)})
	}
	if err != nil {
		return badRequest(fieldError{"body", "ended prematurely"})
	}
	if len(bytes.TrimSpace(body)) == 0 {
		if optional {
			return nil
		}
		return badRequest(fieldError{"body", "is empty; send a JSON object"})
	}
	if err := checkContent(r.Header); err != nil {
		return err
	}
	return decodeJSON(body, dest)
}

// readBody reads a body of at most maxBody. Its length, which is only announced, says
// how much room it needs.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	body.Grow(int(min(max(0, r.ContentLength), maxBody)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	return body.Bytes(), err
}

func checkContent(h http.Header) error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "The content encoding is not supported", "",
			fieldError{"Content-Encoding", "is " + db.Quote(encoding) + "; send the body uncompressed"})
	}
	header := h.Get("Content-Type")
	if header == "" {
		return nil
	}
	media, params, err := mime.ParseMediaType(header)
	isJSON := media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
	charset := params["charset"]
	if err == nil && isJSON && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	return newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "The content type is not supported", "",
		fieldError{"Content-Type", "is " + db.Quote(header) + "; send application/json in UTF-8 " +
			"(curl: -H 'Content-Type: application/json')"})
}

// readCommand reads the command of a request whose path has an id and whose body may
// be empty.
func readCommand[Q interface {
	command(a *api, id string) (C, error)
}, C db.Command](a *api, w http.ResponseWriter, r *http.Request, p httprouter.Params) (command C, err error) {
	id, err := pathID(p)
	if err != nil {
		return command, err
	}
	var request Q
	if err := decode(w, r, &request, true); err != nil {
		return command, err
	}
	return request.command(a, id)
}

func decodeJSON(body []byte, dest any) error {
	err := strictjson.Decode(body, dest)
	var wrong *strictjson.Error
	switch {
	case errors.As(err, &wrong) && wrong.Path == "":
		return badRequest(fieldError{"body", wrong.Message})
	case errors.As(err, &wrong):
		return badRequest(fieldError{db.Excerpt(wrong.Path), wrong.Message})
	case err == nil && bytes.Equal(bytes.TrimSpace(body), []byte("null")):
		return badRequest(fieldError{"body", "must be an object, not null"})
	}
	return err
}

// maxErrors is how many errors a response lists at most. A URL has room for a
// hundred thousand.
const maxErrors = 20

// fields collects the errors of a request's fields, so that a client sees all of
// them at once.
type fields struct {
	errs []fieldError
}

func (f *fields) add(field, format string, args ...any) {
	if len(f.errs) < maxErrors {
		f.errs = append(f.errs, fieldError{db.Excerpt(field), fmt.Sprintf(format, args...)})
	}
}

func (f *fields) err() error {
	if len(f.errs) == 0 {
		return nil
	}
	return badRequest(f.errs...)
}

// name checks the value of an id or another name, which is not absent.
func (f *fields) name(field, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(field, "is empty; send its value, or check that the variable it comes from is set")
	} else if err := db.CheckName(value); err != nil {
		f.add(field, "%v", err)
	}
}

func (f *fields) requiredName(field string, value *string) string {
	if value == nil {
		f.add(field, "is required")
		return ""
	}
	f.name(field, *value)
	return *value
}

// optionalName returns a name that may be absent. An empty one is absent, because
// CI sends variables that are not set.
func (f *fields) optionalName(field string, value *string) string {
	if value == nil || *value == "" {
		return ""
	}
	f.name(field, *value)
	return *value
}

// ref returns the reference to what the path names with an id.
func (f *fields) ref(id string, project, environment *string) db.Ref {
	return db.Ref{ID: id, Project: f.optionalName("project_id", project), Environment: f.optionalName("environment", environment)}
}

// sameID checks an id in the body, which may be repeated there but not differ.
func (f *fields) sameID(value *string, id string) {
	if value != nil && *value != "" && *value != id {
		f.add("id", "is %s but the path has %s; send the same value or omit the field", db.Quote(*value), db.Quote(id))
	}
}

func (f *fields) requiredTime(field string, value *string) time.Time {
	if value == nil {
		f.add(field, "is required; send a date such as 2026-01-31T12:00:00Z")
		return time.Time{}
	}
	if *value == "" {
		f.add(field, "is empty; send a date such as 2026-01-31T12:00:00Z, or check that the variable it comes from is set")
	}
	return f.optionalTime(field, value)
}

// optionalTime returns a date that may be absent. An empty one is absent.
func (f *fields) optionalTime(field string, value *string) time.Time {
	if value == nil || *value == "" {
		return time.Time{}
	}
	t, err := parseTime(*value)
	switch {
	case err != nil:
		f.add(field, "%v", err)
	case t.Before(time.Unix(0, 0)):
		// Year 1, which programs write for a missing date, is the zero time, and
		// the store would take it for no date.
		f.add(field, "is %s; dates before 1970 are not accepted", db.Excerpt(*value))
	}
	return t
}

// user returns the name of the user, which older clients send as username. Empty
// is the same as absent, because CI often has no user.
func (f *fields) user(user, username string) string {
	if user != "" && username != "" && user != username {
		f.add("username", "is an alias of user, but the values differ; send only one")
	}
	field, name := "user", user
	if user == "" {
		field, name = "username", username
	}
	if name != "" {
		f.name(field, name)
	}
	return name
}

// Flag is an optional boolean of a request. An empty string is the same as omitting
// it.
type Flag bool

// UnmarshalJSON decodes a boolean, null or an empty string.
func (f *Flag) UnmarshalJSON(text []byte) error {
	if string(text) == `""` {
		return nil
	}
	return json.Unmarshal(text, (*bool)(f))
}

// layouts are the accepted date formats: RFC 3339, its variants with a space and
// an offset without a colon that git prints, and a date alone.
var layouts = [...]string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04:05 Z0700",
	time.DateOnly,
}

// ParseTime parses a date in any format that the API accepts.
func ParseTime(value string) (time.Time, error) { return parseTime(value) }

// parseTime parses a date. A date alone means midnight UTC.
func parseTime(value string) (time.Time, error) {
	const want = "send RFC 3339, such as 2026-01-31T12:00:00Z or 2026-01-31T14:00:00+02:00"
	upper := strings.ToUpper(value)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, upper); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("is %s, which is not a date with a time zone; %s", db.Quote(value), want)
}
