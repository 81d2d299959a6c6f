package programtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Token is the credential of every service under test.
const Token = "a-token-for-tests"

// Listening matches the line in a log of either format that says on which address
// the service listens. Its group is the address.
const Listening = `em-metrics is listening",?\s?"?address"?[=:]"?([^\s"]+)`

// Service is a running em-metrics with a database of its own. It keeps its
// database and its address when it is started again.
type Service struct {
	*Process
	// Address is the host and port on which the service listens.
	Address string
	// Database is the path of the database file.
	Database string

	wrapper []string // a command that runs the program, such as a shell with limits
	env     []string
}

// StartService starts the program on a free port. The variables override those
// that it has by default.
func StartService(t testing.TB, env ...string) *Service {
	t.Helper()
	return StartWrappedService(t, nil, env...)
}

// StartWrappedService starts the program like [StartService], as the last
// argument of another command.
func StartWrappedService(t testing.TB, wrapper []string, env ...string) *Service {
	t.Helper()
	s := &Service{Address: "127.0.0.1:0", Database: filepath.Join(t.TempDir(), "em-metrics.db"), wrapper: wrapper, env: env}
	for _, variable := range env {
		if path, ok := strings.CutPrefix(variable, "SQLITE_DB="); ok {
			s.Database = path
		}
	}
	s.launch(t)
	s.waitUntilListening()
	return s
}

// Start starts the service again after it has ended.
func (s *Service) Start() {
	s.t.Helper()
	s.Launch()
	s.waitUntilListening()
}

// Launch starts the service again after it has ended, without waiting until it
// listens.
func (s *Service) Launch() {
	s.t.Helper()
	s.launch(s.t)
}

// KillAndStart ends the service without a chance to clean up and starts it again.
func (s *Service) KillAndStart() {
	s.t.Helper()
	_ = s.Stop(syscall.SIGKILL) // its exit code is never 0
	s.Start()
}

func (s *Service) launch(t testing.TB) {
	t.Helper()
	_, port, _ := strings.Cut(s.Address, ":")
	command := append(slices.Clone(s.wrapper), Binary(t))
	s.Process = Start(t, command[0], command[1:], append([]string{
		"HOST=127.0.0.1", "PORT=" + port, "SQLITE_DB=" + s.Database, "EM_METRICS_TOKEN_AUTH=" + Token,
	}, s.env...))
}

func (s *Service) waitUntilListening() {
	s.t.Helper()
	s.Address = s.WaitFor(Listening)
}

// URL returns the URL of a path of the service.
func (s *Service) URL(path string) string { return "http://" + s.Address + path }

// Do sends a request with the token and returns the response and its body. An
// error means that no response came, or only a part of one.
func (s *Service) Do(ctx context.Context, method, path, body string) (response *http.Response, content string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, s.URL(path), strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("Authorization", "Bearer "+Token)
	request.Header.Set("Content-Type", "application/json")
	if response, err = http.DefaultClient.Do(request); err != nil {
		return nil, "", err
	}
	read, err := io.ReadAll(response.Body)
	return response, string(read), errors.Join(err, response.Body.Close())
}

// Get sends a GET request that must succeed and returns the body. It waits while
// the service is not ready.
func (s *Service) Get(path string) (body string) {
	s.t.Helper()
	Eventually(s.t, patience, func() error {
		response, content, err := s.Do(s.t.Context(), http.MethodGet, path, "")
		if err != nil {
			s.t.Fatal(err)
		}
		switch response.StatusCode {
		case http.StatusOK:
			body = content
			return nil
		case http.StatusServiceUnavailable:
			return fmt.Errorf("GET %s: %s %s", path, response.Status, content)
		}
		s.t.Fatalf("GET %s: %s %s", path, response.Status, content)
		return nil
	})
	return body
}

// Post sends a POST request that must succeed.
func (s *Service) Post(path, body string) {
	s.t.Helper()
	response, content, err := s.Do(s.t.Context(), http.MethodPost, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode >= 300 {
		s.t.Fatalf("POST %s %s: %s %s", path, body, response.Status, content)
	}
}

// Deploy records a deployment, from its start to its end, with a lead time of an
// hour.
func (s *Service) Deploy(project string, number int) {
	s.t.Helper()
	id := fmt.Sprintf("%s-%d", project, number)
	s.Post("/deployments", fmt.Sprintf(`{"id": %q, "project_id": %q, "first_commit_at": %q}`,
		id, project, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
	s.Post("/deployments/"+url.PathEscape(id)+"/deployed", fmt.Sprintf(`{"project_id": %q}`, project))
}

// Run runs a command of the program against the service, such as replay, or on its
// database, such as export, and returns what it printed and its exit code.
func (s *Service) Run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	var out, failures strings.Builder
	command := exec.CommandContext(s.t.Context(), Binary(s.t), args...)
	command.Env = append([]string{"EM_METRICS_URL=" + s.URL(""), "EM_METRICS_TOKEN_AUTH=" + Token, "SQLITE_DB=" + s.Database}, s.env...)
	command.Stdout, command.Stderr = &out, &failures
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), failures.String(), command.ProcessState.ExitCode()
}
