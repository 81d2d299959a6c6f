//go:build rendered

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// state is an installation whose dashboards are rendered.
type state struct {
	Name       string `json:"name"`
	Prometheus string `json:"prometheus"`
	Service    string `json:"service"`
	Token      string `json:"token"`
}

// TestRenderedDashboards starts installations in different states and lets the tests
// in the folder dashboards render every dashboard of each. Run it with .ci/dashboards.
func TestRenderedDashboards(t *testing.T) {
	t.Setenv("EM_METRICS_RELEASES", "") // the sample has several environments
	states := []state{emptyState(t), yearState(t), twoProjectsState(t), oldState(t)}
	content, err := json.Marshal(states)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "states.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "npm", "test", "--prefix", "dashboards", "--silent")
	command.Env = append(os.Environ(), "EM_METRICS_STATES="+file)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
}

func newState(name string, service *programtest.Service, prometheus *server) state {
	return state{name, "http://" + prometheus.address, service.URL(""), programtest.Token}
}

// emptyState is an installation that has received nothing.
func emptyState(t *testing.T) state {
	service := programtest.StartService(t)
	prometheus := startPrometheus(t, patientConfig(t, service))
	prometheus.waitFor("count(em_metrics_build_info)", 1)
	return newState("empty", service, prometheus)
}

// yearState is an installation that has received events for a year, with teams.
func yearState(t *testing.T) state {
	entries := withRareProjects(readReleases(t, day, 7*day, 30*day, 90*day))
	service := programtest.StartService(t, "CONFIG="+teamsFile(t, entries), "DEPLOYMENT_ENVIRONMENT=production",
		"EM_METRICS_PRODUCTION_ENVIRONMENTS=production", "EM_METRICS_WINDOWS=1d,7d,30d,90d", "EM_METRICS_SERIES_HOLD=0")
	replay(t, service, entries)
	service.Post("/incidents", fmt.Sprintf(`{"id": "open", "project_id": %q}`, entries[0].Project))
	// The samples of the history are half a day apart.
	prometheus := startPrometheusIn(t, filepath.Dir(makeHistory(t, entries, time.Now(), service.Address)), patientConfig(t, service),
		"--storage.tsdb.retention.time=400d", "--query.lookback-delta=13h")
	waitForRules(prometheus, entries)
	prometheus.waitFor("count(rate(process_cpu_seconds_total[1m] offset 15s))", 1) // graphs end some seconds ago
	return newState("year", service, prometheus)
}

// twoProjectsState is an installation without teams, with two environments of which
// none is known to be production, and with a Prometheus that was there before their
// history was imported.
func twoProjectsState(t *testing.T) state {
	entries := slices.DeleteFunc(readReleases(t), func(e entry) bool { return e.Project != "billing" && e.Project != "checkout" })
	service := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=3s")
	prometheus := startPrometheus(t, patientConfig(t, service))
	prometheus.waitFor("count(em_metrics_build_info)", 1)
	for _, environment := range []string{"production", "staging"} {
		for i := range entries {
			entries[i].Environment = environment
		}
		replay(t, service, entries)
	}
	prometheus.waitFor("count(count by (environment) (project:deployment_frequency_total))", 2)
	return newState("two projects", service, prometheus)
}

// oldState is an installation whose last event is more than a year old.
func oldState(t *testing.T) state {
	entries := readReleases(t)
	for i := range entries {
		for _, at := range entries[i].times() {
			if !at.IsZero() {
				*at = at.Add(-370 * day)
			}
		}
	}
	service := programtest.StartService(t, "EM_METRICS_SERIES_HOLD=0")
	prometheus := startPrometheus(t, patientConfig(t, service))
	replay(t, service, entries)
	waitForRules(prometheus, entries)
	return newState("old", service, prometheus)
}

// patientConfig scrapes less often than the configurations of the other tests, because
// a browser keeps the machine busy meanwhile.
func patientConfig(t *testing.T, service *programtest.Service) string {
	return strings.Replace(repositoryConfig(t, "prometheus.yml", service), "scrape_interval: 1s", "scrape_interval: 5s", 1)
}

// waitForRules waits until the rules have been evaluated with all entries.
func waitForRules(s *server, entries []entry) {
	s.t.Helper()
	s.waitFor("sum(project:deployment_frequency_total)", float64(count(entries, "deployment")))
}
