package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

const deployment = `{"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`

// beginRequest sends a POST /deployments without the end of its body, and waits
// until the service is reading it.
func beginRequest(t *testing.T, s *programtest.Service) (connection net.Conn, rest string) {
	t.Helper()
	connection, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if _, err := fmt.Fprintf(connection, "POST /deployments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", programtest.Token, len(deployment)); err != nil {
		t.Fatal(err)
	}
	// The server sends this when a handler begins to read the body.
	const proceed = "HTTP/1.1 100 Continue\r\n\r\n"
	received := make([]byte, len(proceed))
	if _, err := connection.Read(received); err != nil || string(received) != proceed {
		t.Fatalf("the service answered %q (%v), want %q", received, err, proceed)
	}
	return connection, deployment
}

// A request in progress is answered although the service is stopping, and the
// service exits with success.
func TestStopFinishesRequestsInProgress(t *testing.T) {
	s := programtest.StartService(t)
	connection, body := beginRequest(t, s)
	s.Signal(syscall.SIGTERM)
	s.WaitFor("msg=stopping")
	if _, err := fmt.Fprint(connection, body); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := connection.Read(answer); err != nil || string(answer) != "HTTP/1.1 201" {
		t.Errorf("the request in progress was answered %q (%v)", answer, err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("the service ended with %v, want exit code 0", err)
	}
	s.Start()
	if got := s.Metrics()[`deployment_started_total{environment="NO_ENV", project_id="shop"}`]; got != 1 {
		t.Errorf("%v deployments are stored, want 1", got)
	}
}

// Neither a collector nor a client that hangs keeps the service from stopping in
// time and with success.
func TestStopInTimeWhateverHangs(t *testing.T) {
	collector, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	for _, scheme := range []string{"http", "grpc"} {
		s := programtest.StartService(t, "OTEL_COLLECTOR_URL="+scheme+"://"+collector.Addr().String(), "EM_METRICS_SHUTDOWN_TIMEOUT=1s")
		s.Post("/deployments", deployment)
		beginRequest(t, s)
		start := time.Now()
		err := s.Stop(syscall.SIGTERM)
		if took := time.Since(start); err != nil || took > 6*time.Second {
			t.Errorf("%s: the service ended with %v after %s, want exit code 0 after 1s", scheme, err, took)
		}
	}
}

// A request that hangs leaves time for the last push.
func TestLastPushHasItsShareOfTheTime(t *testing.T) {
	var pushes atomic.Int32
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { pushes.Add(1) }))
	defer collector.Close()
	s := programtest.StartService(t, "OTEL_COLLECTOR_URL="+collector.URL, "EM_METRICS_SHUTDOWN_TIMEOUT=2s",
		"OTEL_METRIC_EXPORT_INTERVAL=3600000", "EM_METRICS_SERIES_HOLD=0")
	s.Post("/deployments", deployment)
	beginRequest(t, s)
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Errorf("the service ended with %v, want exit code 0", err)
	}
	if got := pushes.Load(); got == 0 {
		t.Error("nothing was pushed")
	}
	if strings.Contains(s.Output(), "the last push failed") {
		t.Error("the last push failed")
	}
}

func TestTeamsAreReloadedOnHangup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "teams.json")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"teams": {"blue": {"projects": ["shop"]}}}`)
	s := programtest.StartService(t, "CONFIG="+file)
	s.WaitFor("event replay finished")
	expect := func(series string, want float64) {
		t.Helper()
		if got, ok := s.Metrics()[series]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", series, got, ok, want)
		}
	}
	expect(`deployment_frequency_total{environment="NO_ENV", project_id="shop", team_id="blue"}`, 0)
	expect(`time_to_restore_seconds_count{environment="NO_ENV", project_id="shop", team_id="blue"}`, 0)

	write(`{"teams": {"blue": {"project": ["shop"]}}}`)
	s.Signal(syscall.SIGHUP)
	// The log names the unknown key.
	s.WaitFor(`reloading the teams failed; the previous ones remain in use.*project`)
	expect("em_metrics_config_last_reload_successful{}", 0)

	write(`{"teams": {"red": {"projects": ["shop"]}}}`)
	s.Signal(syscall.SIGHUP)
	s.WaitFor("teams reloaded")
	expect("em_metrics_config_last_reload_successful{}", 1)
	s.Post("/deployments", deployment)
	expect(`deployment_started_total{environment="NO_ENV", project_id="shop", team_id="red"}`, 1)
}

func TestLogShowsTheSettingsAndNoSecret(t *testing.T) {
	s := programtest.StartService(t, "EM_METRICS_BASIC_AUTH_USERNAME=ci", "EM_METRICS_BASIC_AUTH_PASSWORD=hidden-password",
		"OTEL_COLLECTOR_URL=http://user:hidden-too@127.0.0.1:1", "LOG_LEVEL=debug")
	s.Post("/deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z", "user": "bob"}`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL("/config"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("ci", "hidden-wrong")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	log := s.Output()
	first, _, _ := strings.Cut(log, "\n")
	for _, want := range []string{"address=127.0.0.1:", "database=/", `authentication="token, basic"`, "push=http://user:xxxxx@127.0.0.1:1"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first line does not contain %s: %s", want, first)
		}
	}
	for _, secret := range []string{programtest.Token, "hidden-", "bob", "first_commit_at"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log contains %q:\n%s", secret, log)
		}
	}
}
