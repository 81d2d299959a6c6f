package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dbtest"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/exporter"
	"github.com/em-metrics/em-metrics/handlers"
)

// prefixes are the paths under which every route is served.
var prefixes = []string{"", "/api/v1"}

// setup is the configuration of a service under test.
type setup struct {
	handlers.Options
	Database  db.Options
	NoMetrics bool
}

// service is the API on a real port, with a real store and a real exporter.
type service struct {
	t      testing.TB
	url    string
	store  *db.Store
	now    *dbtest.Clock
	log    *lockedBuffer
	client *http.Client
	// production are the environments that count as production.
	production dora.Environments

	closing sync.Once
}

// start starts a service whose clock is at noon of the test day, 2026-03-04. It
// requires no credential unless a change sets one.
func start(t testing.TB, changes ...func(*setup)) *service {
	t.Helper()
	now, log := dbtest.NewClock(dbtest.At("12:00")), &lockedBuffer{}
	o := setup{Database: db.Options{Now: now.Now}}
	o.Auth.Disabled = true
	o.Environment = "production"
	o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, change := range changes {
		change(&o)
	}
	store, err := db.Open(context.Background(), filepath.Join(t.TempDir(), "em-metrics.db"), o.Database)
	if err != nil {
		t.Fatal(err)
	}
	o.Store = store
	metrics, err := exporter.New(context.Background(), store, exporter.Options{Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	if err := metrics.CatchUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !o.NoMetrics {
		o.Meter = metrics.Meter()
		if o.Metrics == nil {
			o.Metrics = metrics.Handler()
		}
	}
	s := &service{t: t, store: store, now: now, log: log}
	o.Production = func() dora.Environments { return s.production }
	api, err := handlers.New(o.Options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api)
	s.url, s.client = server.URL, server.Client()
	t.Cleanup(func() {
		server.Close()
		if err := metrics.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		s.close(t)
	})
	s.client.Transport = newContract(t, s.client.Transport)
	return s
}

// close closes the store, as at the end of the process.
func (s *service) close(t testing.TB) {
	t.Helper()
	s.closing.Do(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request: "POST /path", its body, and headers as "Name: value".
// A body is JSON unless a header says otherwise, and "@10:00" in it is that time of
// the test day.
func (s *service) send(request, body string, headers ...string) answer {
	s.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(context.Background(), method, s.url+path, strings.NewReader(dates(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		if name, value, _ := strings.Cut(header, ": "); name != "" {
			r.Header.Set(name, value)
		}
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Errorf("%s: %v", request, err)
		return answer{}
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Error(err)
	}
	return answer{response.StatusCode, response.Header, string(received)}
}

func (s *service) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.send("GET "+path, "", headers...)
}

// must sends a request that has to succeed for the test to go on.
func (s *service) must(request, body string, headers ...string) answer {
	s.t.Helper()
	a := s.send(request, body, headers...)
	if a.status >= 300 {
		s.t.Fatalf("%s %s: %s", request, body, a)
	}
	return a
}

// events returns the stored events in words, in order.
func (s *service) events() (all []string) {
	s.t.Helper()
	for e, err := range s.store.EventsAfter(context.Background(), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s at %s", e.Kind,
			place(e.Project, e.Environment, e.Subject, e.Team), e.OccurredAt.UTC().Format("15:04:05")))
	}
	return all
}

var sample = regexp.MustCompile(`(?m)^(\w+)\{(.*)\} (\S+)$`)

// metrics returns the series of projects in /metrics: counters as "incident_count
// shop/production 2", histograms with their count and sum in seconds as
// "time_to_restore shop/production 2 900". Counters at zero are left out.
func (s *service) metrics() (series []string) {
	s.t.Helper()
	sums := map[string]string{}
	for _, m := range sample.FindAllStringSubmatch(s.get("/metrics").body, -1) {
		name, where := m[1], formatLabels(m[2])
		histogram := strings.TrimSuffix(name, "_seconds_sum")
		switch {
		case where == "", strings.HasSuffix(name, "_bucket"):
		case histogram != name:
			sums[histogram+" "+where] = m[3]
		case strings.HasSuffix(name, "_seconds_count"):
			series = append(series, strings.TrimSuffix(name, "_seconds_count")+" "+where+" "+m[3])
		case m[3] != "0":
			series = append(series, strings.TrimSuffix(name, "_total")+" "+where+" "+m[3])
		}
	}
	for i, line := range series {
		if sum, ok := sums[line[:strings.LastIndex(line, " ")]]; ok {
			series[i] += " " + sum
		}
	}
	slices.Sort(series)
	return series
}

// formatLabels formats the labels of a project's series. It returns "" for any other
// series.
func formatLabels(labels string) string {
	label := func(name string) string {
		_, value, _ := strings.Cut(labels, name+`="`)
		value, _, _ = strings.Cut(value, `"`)
		return value
	}
	if !strings.Contains(labels, "project_id=") {
		return ""
	}
	where := label("project_id") + "/" + label("environment")
	if team := label("team_id"); team != "" {
		where += " of " + team
	}
	return where
}

// String describes a response: the record, or the errors of the fields.
func (a answer) String() string {
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		return fmt.Sprint(a.status, " ", problemText(a.body))
	}
	if !strings.HasPrefix(a.body, "{") {
		return fmt.Sprint(a.status, " ", a.body)
	}
	found, err := readJSON[map[string]any]([]byte(a.body))
	if err != nil {
		return fmt.Sprint(a.status, " ", err)
	}
	return fmt.Sprint(a.status, " ", recordText(found))
}

// recordText describes a deployment or an incident.
func recordText(found map[string]any) string {
	field := func(name string) string {
		value, _ := found[name].(string)
		return value
	}
	text := place(field("project_id"), field("environment"), field("id"), field("team_id"))
	for _, f := range []struct{ name, word string }{
		{"first_commit_at", "commit"}, {"deploy_start_at", "start"}, {"deployed_at", "deployed"},
		{"deployment_id", "by"}, {"started_at", "started"}, {"restored_at", "restored"}, {"finished_at", "finished"},
	} {
		if value := field(f.name); value != "" {
			value = strings.TrimPrefix(value, "2026-03-04T")
			text += " " + f.word + " " + strings.TrimSuffix(value, ":00.000Z")
		}
	}
	if found["rework"] == true {
		text += " rework"
	}
	return text + revisionText(found)
}

type problem struct {
	Type, Title, Detail string
	Status              int
	Errors              []struct{ Field, Message string }
}

func problemText(body string) string {
	p, err := readJSON[problem]([]byte(body))
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, e := range p.Errors {
		parts = append(parts, e.Field+" "+e.Message)
	}
	return strings.Join(parts, " | ")
}

func place(project, environment, id, team string) string {
	text := project + "/" + environment + "/" + id
	if team != "" {
		text += " of " + team
	}
	return text
}

func readJSON[T any](body []byte) (value T, err error) {
	err = json.Unmarshal(body, &value)
	return value, err
}

// jsonFields returns the JSON names of a struct's fields.
func jsonFields(of any) (names []string) {
	t := reflect.TypeOf(of)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var timeOfDay = regexp.MustCompile(`@(\d\d:\d\d)`)

// dates replaces every "@10:00" by that time of the test day.
func dates(body string) string {
	return timeOfDay.ReplaceAllString(body, "2026-03-04T$1:00Z")
}

// lockedBuffer is a buffer that is safe for concurrent use.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// compare reports how two lists of lines differ.
func compare(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}
