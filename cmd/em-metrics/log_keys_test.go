package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// Programs that read the log need one type for each key, whichever message it is in.
func TestEachLogKeyHasOneType(t *testing.T) {
	teams := filepath.Join(t.TempDir(), "teams.json")
	if err := os.WriteFile(teams, []byte(`{"teams": {"blue": {"projects": ["shop"]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := programtest.StartService(t, "LOG_FORMAT=json", "LOG_LEVEL=debug", "CONFIG="+teams, "EM_METRICS_LABEL_SET_LIMIT=1",
		"EM_METRICS_SHUTDOWN_TIMEOUT=2s", "EM_METRICS_UNKNOWN=1", "OTEL_COLLECTOR_URL=http://127.0.0.1:1", "OTEL_METRIC_EXPORT_INTERVAL=100")
	s.WaitFor("event replay finished")
	s.WaitFor(`"msg":"metrics"`) // a push that failed
	s.Deploy("shop", 1)
	s.Deploy("api", 2)
	s.Metrics()
	if _, _, err := s.Do(t.Context(), http.MethodPost, "/deployments", "{}"); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGHUP)
	s.WaitFor("teams reloaded")
	if err := os.Remove(teams); err != nil {
		t.Fatal(err)
	}
	s.Signal(syscall.SIGHUP)
	s.WaitFor("reloading the teams failed")
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}

	types, messages := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(s.Output()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		messages[fmt.Sprint(record["msg"])] = true
		for key, value := range record {
			got := fmt.Sprintf("%T", value)
			if want, seen := types[key]; seen && got != want {
				t.Errorf("%s is a %s here and a %s elsewhere: %s", key, got, want, line)
			}
			types[key] = got
		}
	}
	for _, want := range []string{"event replay finished", "request", "request failed", "stopping", "stopped",
		"label set limit reached: further label sets are counted under otel_metric_overflow"} {
		if !messages[want] {
			t.Errorf("the log does not contain %q", want)
		}
	}
	for _, key := range []string{"duration_seconds", "timeout_seconds", "status", "limit"} {
		if types[key] != "float64" {
			t.Errorf("%s is a %q, want a number", key, types[key])
		}
	}
}

func TestHangupWithoutTeamsFile(t *testing.T) {
	s := programtest.StartService(t)
	s.WaitFor("event replay finished")
	s.Signal(syscall.SIGHUP)
	s.WaitFor(`nothing to reload: CONFIG is not set`)
	if strings.Contains(s.Output(), "teams reloaded") {
		t.Error("the log says that the teams were reloaded")
	}
}
