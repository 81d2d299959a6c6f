package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// token is the credential of every service under test.
const token = "an-end-to-end-token"

// binary is the em-metrics under test, built once.
var binary string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "em-metrics-e2e")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "em-metrics")
	build := exec.Command("go", "build", "-o", binary, "./cmd/em-metrics")
	build.Dir = ".."
	if output, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build em-metrics: %w\n%s", err, output)
	}
	return m.Run(), nil
}

// service is a running em-metrics. It keeps its address over restarts.
type service struct {
	t       *testing.T
	dir     string
	env     []string
	address string
	process *program
}

// startService starts em-metrics on a free port with a database of its own.
func startService(t *testing.T, env ...string) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir(), address: "127.0.0.1:0", env: env}
	s.start()
	t.Cleanup(func() { s.process.stop(syscall.SIGKILL) })
	return s
}

var listening = regexp.MustCompile(`msg="em-metrics is listening" address=(\S+)`)

// start starts the program, again on the port it had before.
func (s *service) start() {
	s.t.Helper()
	_, port, _ := strings.Cut(s.address, ":")
	s.process = startProgram(s.t, binary, nil, append([]string{
		"HOST=127.0.0.1", "PORT=" + port, "SQLITE_DB=" + filepath.Join(s.dir, "em-metrics.db"),
		"EM_METRICS_TOKEN_AUTH=" + token, "PATH=" + os.Getenv("PATH"), "LOG_LEVEL=info",
	}, s.env...))
	s.address = s.process.waitFor(listening)
}

// kill ends the program without a chance to do anything, and starts it again.
func (s *service) killAndRestart() {
	s.t.Helper()
	s.process.stop(syscall.SIGKILL)
	s.start()
}

// post sends a request that must succeed.
func (s *service) post(path, body string) {
	s.t.Helper()
	request := s.request(http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode >= 300 {
		s.t.Fatalf("POST %s %s: %s %s", path, body, response.Status, answer)
	}
}

func (s *service) request(method, path string, body io.Reader) *http.Request {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return request
}

// deploy records a deployment whose change took an hour, from its start to its
// end.
func (s *service) deploy(project string, number int) {
	s.t.Helper()
	id := fmt.Sprintf("%s-%d", project, number)
	s.post("/deployments", fmt.Sprintf(`{"id": %q, "project_id": %q, "first_commit_at": %q}`,
		id, project, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
	s.post("/deployments/"+url.PathEscape(id)+"/deployed", fmt.Sprintf(`{"project_id": %q}`, project))
}

// metrics reads /metrics as a person does, not as a scraper: every value as it
// is, by "name{label="value",…}", with histograms as their count and sum.
func (s *service) metrics() map[string]float64 {
	s.t.Helper()
	response, err := http.DefaultClient.Do(s.request(http.MethodGet, "/metrics", nil))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("GET /metrics: %s", response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return flatten(families)
}

func flatten(families map[string]*dto.MetricFamily) map[string]float64 {
	values := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			labels := model.LabelSet{}
			for _, l := range m.GetLabel() {
				labels[model.LabelName(l.GetName())] = model.LabelValue(l.GetValue())
			}
			switch {
			case m.GetHistogram() != nil:
				values[name+"_count"+labels.String()] = float64(m.GetHistogram().GetSampleCount())
				values[name+"_sum"+labels.String()] = m.GetHistogram().GetSampleSum()
			case m.GetCounter() != nil:
				values[name+labels.String()] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				values[name+labels.String()] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

// program is a running program whose output can be waited for.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	exited chan struct{}
	err    error

	mu  sync.Mutex
	log bytes.Buffer
}

// startProgram starts a program that ends with the test at the latest.
func startProgram(t *testing.T, name string, args, env []string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(name, args...), lines: make(chan string, 10_000), exited: make(chan struct{})}
	p.cmd.Env = env
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = input, input
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	go p.read(output)
	t.Cleanup(func() {
		p.stop(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("output of %s:\n%s", filepath.Base(name), p.output())
		}
	})
	return p
}

func (p *program) read(output *os.File) {
	defer output.Close()
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		p.mu.Lock()
		p.log.WriteString(scanner.Text() + "\n")
		p.mu.Unlock()
		select {
		case p.lines <- scanner.Text():
		default:
		}
	}
	p.err = p.cmd.Wait()
	close(p.exited)
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// waitFor waits for a line and returns its first group.
func (p *program) waitFor(pattern *regexp.Regexp) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	for {
		select {
		case line := <-p.lines:
			if match := pattern.FindStringSubmatch(line); match != nil {
				return match[1]
			}
		case <-p.exited:
			p.t.Fatalf("%s ended: %v\n%s", p.cmd.Path, p.err, p.output())
		case <-ctx.Done():
			p.t.Fatalf("%s did not print %s\n%s", p.cmd.Path, pattern, p.output())
		}
	}
}

// stop sends the signal and waits for the end.
func (p *program) stop(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended already
	<-p.exited
}

// eventually tries until there is no error.
func eventually(t *testing.T, limit time.Duration, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("after %s: %v", limit, err)
		}
	}
}
