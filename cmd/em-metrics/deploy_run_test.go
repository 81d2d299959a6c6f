package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// deployed is the outcome of a command that "deploy run" has run.
type deployed struct {
	stdout, stderr string
	code           int
	began          time.Duration // until the command began
	took           time.Duration
}

// deployRun runs a script of the shell with "deploy run". The script's first line of
// output must be the date in nanoseconds.
func deployRun(t *testing.T, address string, flags []string, script string) deployed {
	t.Helper()
	args := append([]string{"deploy", "run", "-project", "shop", "-id", "7"}, flags...)
	command := exec.Command(programtest.Binary(t), append(args, "--", "sh", "-c", "date +%s%N; "+script)...)
	command.Dir = t.TempDir()
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "EM_METRICS_URL=" + address, "EM_METRICS_TOKEN=" + programtest.Token}
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader("input"), &stdout, &stderr
	start := time.Now()
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	d := deployed{stderr: stderr.String(), code: command.ProcessState.ExitCode(), took: time.Since(start)}
	line, rest, _ := strings.Cut(stdout.String(), "\n")
	nanoseconds, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		t.Fatalf("the command did not print the date first: %q, %s", stdout.String(), d.stderr)
	}
	d.stdout, d.began = rest, time.Unix(0, nanoseconds).Sub(start)
	return d
}

// Whatever the service does, the command runs at once, with its input, its output
// and its exit code, and only a warning is printed.
func TestDeployRunWithoutAService(t *testing.T) {
	t.Parallel()
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hanging.Close() })
	addresses := map[string]string{"down": "http://127.0.0.1:1", "hanging": "http://" + hanging.Addr().String(), "not set": "", "wrong": "nowhere"}
	for _, status := range []int{401, 403, 422, 500, 503} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		addresses[strconv.Itoa(status)] = server.URL
	}
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("state") == "deployed" { // answers once, and then no more
			_, _ = w.Write([]byte("[]"))
			return
		}
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	addresses["slow"] = slow.URL
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit, began := 4*time.Second, time.Second
			if name == "slow" {
				began = limit/2 + time.Second/2
			}
			d := deployRun(t, address, []string{"-timeout", limit.String()}, `cat; printf '\000\377'; echo problem >&2; exit 3`)
			if d.code != 3 || d.stdout != "input\x00\xff" || strings.Count(d.stderr, "problem\n") != 1 {
				t.Errorf("exit code %d, output %q and %q", d.code, d.stdout, d.stderr)
			}
			if !strings.Contains(d.stderr, "is not recorded: ") || strings.Contains(d.stderr, programtest.Token) {
				t.Errorf("the warning is %q", d.stderr)
			}
			if d.began > began || d.took > limit+time.Second {
				t.Errorf("the command began after %s and everything ended after %s", d.began, d.took)
			}
		})
	}
}

func TestDeployRunExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		command []string
		code    int
	}{
		{[]string{"true"}, 0},
		{[]string{"sh", "-c", "exit 255"}, 255},
		{[]string{"sh", "-c", "kill -KILL $$"}, 137},
		{[]string{"no-such-program"}, 127},
		{[]string{"./no-such-program"}, 127},
		{[]string{plain}, 126},
	} {
		_, stderr, code := runIn(t, []string{"PATH=" + os.Getenv("PATH")}, append([]string{"deploy", "run", "--"}, test.command...)...)
		if code != test.code {
			t.Errorf("%v: exit code %d, want %d; %s", test.command, code, test.code, stderr)
		}
	}
}

// Signals reach the command, which decides what they mean.
func TestDeployRunPassesSignalsOn(t *testing.T) {
	t.Parallel()
	const script = `trap 'echo term' TERM; trap 'echo int; exit 5' INT; trap 'echo usr' USR1; trap 'echo hup' HUP
echo ready; for i in $(seq 300); do sleep 0.1; done`
	p := programtest.Start(t, programtest.Binary(t), []string{"deploy", "run", "--", "sh", "-c", script}, []string{"PATH=" + os.Getenv("PATH")})
	p.WaitFor("ready")
	for _, s := range []struct {
		signal syscall.Signal
		output string
	}{{syscall.SIGTERM, "term"}, {syscall.SIGUSR1, "usr"}, {syscall.SIGHUP, "hup"}, {syscall.SIGTERM, "term\n(.*\n)*term"}, {syscall.SIGINT, "int"}} {
		p.Signal(s.signal)
		p.WaitFor(s.output)
	}
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 5 {
		t.Errorf("it ended with %v, want exit code 5", err)
	}
}

// A job that is canceled while the start is recorded does not deploy.
func TestDeployRunCanceledBeforeTheCommand(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	p := programtest.Start(t, programtest.Binary(t), []string{"deploy", "run", "-project", "shop", "-id", "7", "-timeout", "2s", "--", "echo", "deploying"},
		[]string{"PATH=" + os.Getenv("PATH"), "EM_METRICS_URL=" + server.URL})
	<-asked
	p.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 143 || strings.Contains(p.Output(), "deploying") {
		t.Errorf("it ended with %v and the output %s", err, p.Output())
	}
}

// Arguments, which other users of the machine see, have no secret.
func TestDeployRunHasNoSecretInArguments(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(server.Close)
	d := deployRun(t, server.URL, nil, fmt.Sprintf("for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f; done 2>/dev/null | grep -c '[%c]%s'",
		programtest.Token[0], programtest.Token[1:]))
	if strings.TrimSpace(d.stdout) != "0" {
		t.Errorf("%s processes have the token in their arguments", d.stdout)
	}
}
