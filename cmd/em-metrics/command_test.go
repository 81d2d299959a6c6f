package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCommands(t *testing.T) {
	for name, test := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"help":              {[]string{"help"}, 0, "EM_METRICS_SERIES_HOLD", ""},
		"--help":            {[]string{"--help"}, 0, "(default 150s)", ""},
		"version":           {[]string{"--version"}, 0, "em-metrics", ""},
		"unknown":           {[]string{"dance"}, 2, "", `"dance" is not a command`},
		"serve --help":      {[]string{"serve", "--help"}, 0, "Usage:", ""},
		"serve unexpected":  {[]string{"serve", "now"}, 2, "", `unexpected argument "now"`},
		"replay --help":     {[]string{"replay", "--help"}, 0, "-sample", ""},
		"replay nothing":    {[]string{"replay"}, 2, "", "name one file, or - for standard input, or -sample"},
		"replay flag":       {[]string{"replay", "-fast", "x"}, 2, "", "flag provided but not defined: -fast"},
		"replay no file":    {[]string{"replay", "/no/such/file"}, 1, "", "/no/such/file: no such file"},
		"replay no address": {[]string{"replay", "-url", "nowhere", "-"}, 1, "", `the address "nowhere" is not a URL`},
		"healthcheck help":  {[]string{"healthcheck", "--help"}, 0, "Usage:", ""},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := runIn(t, nil, test.args...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit code %d, %q and %q; want %d, %q and %q", code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
		})
	}
}

func TestReplayReportsRefusedLinesAndSendsTheOthers(t *testing.T) {
	i := startInstance(t)
	file := filepath.Join(t.TempDir(), "lines.jsonl")
	lines := `{"kind": "deployment", "id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z", "deployed_at": "2026-01-31T12:00:00Z"}
{"kind": "deployment", "id": "2", "project_id": "shop"}

{"kind": "party"}
not JSON
{"kind": "deployment", "id": "3", "project_id": "shop", "first_commit_at": "2026-02-02T09:00:00Z", "deployed_at": "2026-02-01T12:00:00Z"}
{"kind": "incident", "id": "7", "project_id": "shop", "deployment_id": "1", "started_at": "2026-01-31T12:30:00Z"}
`
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"EM_METRICS_URL=http://" + i.address, "EM_METRICS_TOKEN_AUTH=" + testToken}
	stdout, stderr, code := command(t, env, "replay", file)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{
		"line 2: ", "first_commit_at is required", "line 4: kind is \"party\"", "line 5: is not a line to replay",
		"line 6: ", "it must not be before first_commit_at", "4 of 6 lines were refused; the others are stored",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("nothing says %q: %s", want, stderr)
		}
	}
	if !strings.Contains(stdout, "6 lines: 3 deployments and 1 incidents, 2 of them new, 4 refused") {
		t.Errorf("the summary is %s", stdout)
	}
	if got := i.metrics()[`deployment_frequency_total{environment="NO_ENV", project_id="shop"}`]; got != 1 {
		t.Errorf("%v deployments were counted, want 1", got)
	}
}

func TestReplayWithTheWrongCredential(t *testing.T) {
	i := startInstance(t)
	file := filepath.Join("testdata", "sample.jsonl")
	for env, want := range map[string]string{
		"EM_METRICS_TOKEN_AUTH=wrong-secret": "403 Forbidden: set EM_METRICS_TOKEN_AUTH",
		"EM_METRICS_TOKEN_AUTH=":             "401 Unauthorized: set EM_METRICS_TOKEN_AUTH",
	} {
		stdout, stderr, code := command(t, []string{env}, "replay", "-url", "http://"+i.address, file)
		if code != 1 || !strings.Contains(stderr, want) || strings.Contains(stdout+stderr, "wrong-secret") {
			t.Errorf("%s: exit code %d, %s%s", env, code, stdout, stderr)
		}
	}
}

func TestHealthcheck(t *testing.T) {
	i := startInstance(t)
	_, port, err := net.SplitHostPort(i.address)
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := command(t, []string{"PORT=" + port}, "healthcheck"); code != 0 {
		t.Errorf("with the service alive the exit code is %d: %s", code, stderr)
	}
	i.signal(syscall.SIGTERM)
	if _, stderr, code := command(t, []string{"PORT=" + port}, "healthcheck"); code != 1 || !strings.Contains(stderr, "/health") {
		t.Errorf("with the service gone the exit code is %d: %s", code, stderr)
	}
}

// A request that has been read is answered although the service is stopping,
// and the service ends with success.
func TestStopFinishesRequestsUnderWay(t *testing.T) {
	i := startInstance(t)
	connection, err := net.Dial("tcp", i.address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	body := `{"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`
	_, err = fmt.Fprintf(connection, "POST /deployments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", testToken, len(body), body[:10])
	if err != nil {
		t.Fatal(err)
	}
	waitForLog(t, i, func() bool { // the service must have begun to read
		_, err := i.post(t.Context(), "/deployments/none/deployed", "")
		return err == nil
	})
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitForLog(t, i, func() bool { return strings.Contains(i.output(), "msg=stopping") })
	if _, err := fmt.Fprint(connection, body[10:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := connection.Read(answer); err != nil || string(answer) != "HTTP/1.1 201" {
		t.Errorf("the request under way was answered %q (%v)", answer, err)
	}
	<-i.exited
	if i.err != nil {
		t.Errorf("the service ended with %v, want exit code 0", i.err)
	}
	i.start()
	if got := i.metrics()[`deployment_started_total{environment="NO_ENV", project_id="shop"}`]; got != 1 {
		t.Errorf("%v deployments are stored, want 1", got)
	}
}

func waitForLog(t *testing.T, i *instance, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain\n%s", i.output())
		}
	}
}

func TestTeamsAreReadAgainOnHangup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "teams.json")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"teams": {"blue": {"projects": ["shop"]}}}`)
	i := startInstance(t, "CONFIG="+file)
	waitForLog(t, i, func() bool { return strings.Contains(i.output(), "the stored events are read") })
	expect := func(series string, want float64) {
		t.Helper()
		if got, ok := i.metrics()[series]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", series, got, ok, want)
		}
	}
	expect(`deployment_frequency_total{environment="NO_ENV", project_id="shop", team_id="blue"}`, 0)
	expect(`time_to_restore_seconds_count{environment="NO_ENV", project_id="shop", team_id="blue"}`, 0)

	write(`{"teams": {"blue": {"project": ["shop"]}}}`)
	hangUp(t, i, "those from before stay in force")
	expect("em_metrics_config_last_reload_successful{}", 0)
	if !strings.Contains(i.output(), "project") {
		t.Errorf("the log does not name the key: %s", i.output())
	}

	write(`{"teams": {"red": {"projects": ["shop"]}}}`)
	hangUp(t, i, "the teams were read again")
	expect("em_metrics_config_last_reload_successful{}", 1)
	i.mustPost("/deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`)
	expect(`deployment_started_total{environment="NO_ENV", project_id="shop", team_id="red"}`, 1)
}

func hangUp(t *testing.T, i *instance, line string) {
	t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitForLog(t, i, func() bool { return strings.Contains(i.output(), line) })
}

func TestFirstLineSaysWhatIsInForceAndNoSecret(t *testing.T) {
	i := startInstance(t, "EM_METRICS_BASIC_AUTH_USERNAME=ci", "EM_METRICS_BASIC_AUTH_PASSWORD=hidden-password",
		"OTEL_COLLECTOR_URL=http://user:hidden-too@127.0.0.1:1", "LOG_LEVEL=debug")
	i.mustPost("/deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z", "user": "bob"}`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+i.address+"/config", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("ci", "hidden-wrong")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	i.signal(syscall.SIGTERM)
	log := i.output()
	first, _, _ := strings.Cut(log, "\n")
	for _, want := range []string{"address=127.0.0.1:", "database=/", `authentication="token, basic"`, "push=http://user:xxxxx@127.0.0.1:1"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first line does not say %s: %s", want, first)
		}
	}
	for _, secret := range []string{testToken, "hidden-", "bob", "first_commit_at"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}
