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

// Neither a collector nor a client that hangs keeps the service from ending
// in time, with success.
func TestStopEndsInTimeWhateverHangs(t *testing.T) {
	collector, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	for _, scheme := range []string{"http", "grpc"} {
		i := startInstance(t, "OTEL_COLLECTOR_URL="+scheme+"://"+collector.Addr().String(), "EM_METRICS_SHUTDOWN_TIMEOUT=1s")
		i.mustPost("/deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`)
		client, err := net.Dial("tcp", i.address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := fmt.Fprint(client, "POST /deployments HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		i.signal(syscall.SIGTERM)
		if took := time.Since(start); i.err != nil || took > 6*time.Second {
			t.Errorf("%s: the service ended with %v after %s, want exit code 0 after 1s", scheme, i.err, took)
		}
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
