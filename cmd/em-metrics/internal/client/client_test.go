package client

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/em-metrics/em-metrics/handlers"
)

// service answers every request with the next of its responses, "STATUS BODY",
// or, for an empty one, with a network error. It keeps what it was sent.
type service struct {
	responses []string
	requests  []string
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.requests = append(s.requests, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Authorization")+" "+string(body))
	next := s.responses[0]
	if len(s.responses) > 1 {
		s.responses = s.responses[1:]
	}
	if next == "" {
		return nil, errors.New("connection reset")
	}
	status, text, _ := strings.Cut(next, " ")
	code, err := strconv.Atoi(status)
	return &http.Response{
		StatusCode: code, Status: status + " " + http.StatusText(code), Body: io.NopCloser(strings.NewReader(text)),
	}, err
}

const conflict = `409 {"title": "Conflict", "errors": [{"field": "started_at", "message": "differs"}, {"field": "id", "message": "too"}]}`

func TestRetries(t *testing.T) {
	for name, test := range map[string]struct {
		responses []string
		attempts  int
		err       string
		took      time.Duration
	}{
		"a success is not repeated":          {[]string{"201"}, 1, "", 0},
		"a network error is":                 {[]string{"", "200"}, 2, "", 250 * time.Millisecond},
		"so are 429 and 5xx":                 {[]string{"429", "503", "500", "201"}, 4, "", 1750 * time.Millisecond},
		"six attempts are enough":            {[]string{`503 {"title": "Full"}`}, 6, "http://service answered 503 Service Unavailable: Full", 7750 * time.Millisecond},
		"a rejected request is not repeated": {[]string{conflict}, 1, "Conflict; started_at differs; id too", 0},
		"nor is one without credentials":     {[]string{"401"}, 1, "http://service answered 401 Unauthorized: set EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and EM_METRICS_BASIC_AUTH_PASSWORD, to the credentials of the service (each also as <NAME>_FILE)", 0},
		"a page of a proxy is quoted":        {[]string{"422 <html>"}, 1, `"<html>"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{responses: test.responses}
				c := newClient(t, Options{URL: "http://service/", Transport: s})
				start := time.Now()
				created, err := c.RecordIncident(t.Context(), handlers.IncidentRequest{})
				if len(s.requests) != test.attempts || time.Since(start) != test.took {
					t.Errorf("%d attempts in %s, want %d in %s", len(s.requests), time.Since(start), test.attempts, test.took)
				}
				if test.err == "" && (err != nil || created != (s.responses[0] == "201")) || test.err != "" && (err == nil || err.Error() != test.err) {
					t.Errorf("created %t, error %v; want error %q", created, err, test.err)
				}
			})
		})
	}
}

func TestConflictsOn(t *testing.T) {
	for _, test := range []struct {
		response, field string
		want            bool
	}{
		{conflict, "started_at", true},
		{conflict, "id", true},
		{conflict, "deployed_at", false},
		{strings.Replace(conflict, "409", "422", 1), "started_at", false},
	} {
		c := newClient(t, Options{URL: "http://service", Transport: &service{responses: []string{test.response}}})
		_, err := c.RecordIncident(t.Context(), handlers.IncidentRequest{})
		var rejected *RejectedError
		if !errors.As(err, &rejected) || rejected.ConflictsOn(test.field) != test.want {
			t.Errorf("%s: the error is %v, a conflict on %s: %t", test.response, err, test.field, !test.want)
		}
	}
}

func TestAnotherDeployedAtIsRejected(t *testing.T) {
	id, at := "1", "2026-01-31T12:00:00.0001Z"
	for stored, want := range map[string]string{
		"2026-01-31T12:00:00.000Z": "",
		"2026-01-31T12:00:01.000Z": "The deployment is already deployed; deployed_at is already recorded as 2026-01-31T12:00:01.000Z, which stays",
	} {
		c := newClient(t, Options{URL: "http://service", Transport: &service{responses: []string{`200 {"deployed_at": "` + stored + `"}`}}})
		_, err := c.RecordDeployment(t.Context(), handlers.DeploymentRequest{ID: &id, DeployedAt: &at})
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: got %v, want %s", stored, err, want)
		}
	}
}

func TestRequests(t *testing.T) {
	id, at := "a/b", "2026-01-31T12:00:00Z"
	s := &service{responses: []string{"201"}}
	c := newClient(t, Options{URL: "http://service", Token: "secret", Username: "ci", Transport: s})
	basic := newClient(t, Options{URL: "http://service", Username: "ci", Password: "secret", Transport: s})
	password := newClient(t, Options{URL: "http://service", Password: "secret", Transport: s})
	for _, send := range []func() (bool, error){
		func() (bool, error) { return c.RecordDeployment(t.Context(), handlers.DeploymentRequest{ID: &id}) },
		func() (bool, error) {
			return c.RecordDeployment(t.Context(), handlers.DeploymentRequest{ID: &id, DeployedAt: &at})
		},
		func() (bool, error) { // not deployed: an empty date is the same as none
			return c.RecordDeployment(t.Context(), handlers.DeploymentRequest{ID: &id, DeployedAt: new(string)})
		},
		func() (bool, error) {
			return basic.RecordIncident(t.Context(), handlers.IncidentRequest{ID: &id, StartedAt: &at})
		},
		func() (bool, error) { return password.RecordIncident(t.Context(), handlers.IncidentRequest{}) },
	} {
		if created, err := send(); err != nil || !created {
			t.Errorf("created %t, error %v", created, err)
		}
	}
	want := []string{
		`POST /deployments Bearer secret {"id":"a/b"}`,
		`POST /deployments/a%2Fb/deployed Bearer secret {"create_if_not_exists":true,"deployed_at":"2026-01-31T12:00:00Z"}`,
		`POST /deployments Bearer secret {"id":"a/b","deployed_at":""}`,
		`POST /incidents Basic Y2k6c2VjcmV0 {"id":"a/b","started_at":"2026-01-31T12:00:00Z"}`,
		`POST /incidents Basic OnNlY3JldA== {}`,
	}
	if got := strings.Join(s.requests, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("sent\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestNewRejectsInvalidURLs(t *testing.T) {
	for _, address := range []string{"", "nowhere", "ftp://host", "http://", "http://a b"} {
		if _, err := New(Options{URL: address}); err == nil {
			t.Errorf("New accepts the URL %q", address)
		}
	}
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
