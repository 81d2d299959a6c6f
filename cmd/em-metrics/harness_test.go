package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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

const testToken = "a-token-for-tests"

// binary is the program under test, built once.
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
	dir, err := os.MkdirTemp("", "em-metrics")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "em-metrics")
	if output, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the program: %w\n%s", err, output)
	}
	return m.Run(), nil
}

// instance is a running service with a database of its own, which it keeps
// over restarts.
type instance struct {
	t       testing.TB
	env     []string
	address string
	cmd     *exec.Cmd
	exited  chan struct{}
	err     error

	mu  sync.Mutex
	log bytes.Buffer
}

// startInstance starts the real program on a free port.
func startInstance(t testing.TB, env ...string) *instance {
	t.Helper()
	i := &instance{t: t, env: append([]string{
		"HOST=127.0.0.1", "PORT=0", "SQLITE_DB=" + filepath.Join(t.TempDir(), "em-metrics.db"),
		"EM_METRICS_TOKEN_AUTH=" + testToken,
	}, env...)}
	t.Cleanup(func() {
		i.signal(syscall.SIGKILL)
		if t.Failed() {
			t.Log(tail(i.output(), 4000))
		}
	})
	i.start()
	return i
}

var addressInLog = regexp.MustCompile(`msg="em-metrics is listening" address=(\S+)`)

func (i *instance) start() {
	i.t.Helper()
	i.cmd, i.exited = exec.Command(binary), make(chan struct{})
	i.cmd.Env = i.env
	output, err := i.cmd.StderrPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := i.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	address := make(chan string, 1)
	go i.read(output, address, i.exited)
	select {
	case i.address = <-address:
	case <-i.exited:
		i.t.Fatalf("the service ended: %v\n%s", i.err, i.output())
	case <-time.After(30 * time.Second):
		i.t.Fatalf("the service does not listen\n%s", i.output())
	}
}

// read keeps the log, tells the address, and waits for the end.
func (i *instance) read(output io.Reader, address chan<- string, exited chan<- struct{}) {
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		i.mu.Lock()
		i.log.WriteString(scanner.Text() + "\n")
		i.mu.Unlock()
		if match := addressInLog.FindStringSubmatch(scanner.Text()); match != nil {
			address <- match[1]
		}
	}
	i.err = i.cmd.Wait()
	close(exited)
}

// signal sends a signal and waits for the end.
func (i *instance) signal(s syscall.Signal) {
	if i.cmd != nil && i.cmd.Process != nil {
		_ = i.cmd.Process.Signal(s) // it may have ended already
		<-i.exited
	}
}

func (i *instance) output() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.log.String()
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// post sends a request and returns the status; an error means that no answer
// came, or only a part of one.
func (i *instance) post(ctx context.Context, path, body string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+i.address+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+testToken)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

// mustPost sends a request that must succeed.
func (i *instance) mustPost(path, body string) {
	i.t.Helper()
	if status, err := i.post(i.t.Context(), path, body); err != nil || status >= 300 {
		i.t.Fatalf("POST %s %s: %d %v", path, body, status, err)
	}
}

// metrics reads every series of /metrics, a histogram as its count and its
// sum. It waits while the service reads what is stored.
func (i *instance) metrics() map[string]float64 {
	i.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		request, err := http.NewRequestWithContext(i.t.Context(), http.MethodGet, "http://"+i.address+"/metrics", nil)
		if err != nil {
			i.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Token "+testToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			i.t.Fatal(err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if response.StatusCode == http.StatusOK {
			defer response.Body.Close()
			families, err := parser.TextToMetricFamilies(response.Body)
			if err != nil {
				i.t.Fatal(err)
			}
			return flatten(families)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			i.t.Fatalf("GET /metrics: %s", response.Status)
		}
		time.Sleep(10 * time.Millisecond) // leave the machine to the service
	}
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

// command runs a command of the program to its end.
func command(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &err
	var exit *exec.ExitError
	if failure := cmd.Run(); failure != nil && !errors.As(failure, &exit) {
		t.Fatal(failure)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}
