package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// families lists the name and type of every metric. Rules, dashboards and users
// depend on each of them.
const families = `change_failure_count_total counter
deployment_aborted_total counter
deployment_duration_seconds histogram
deployment_frequency_total counter
deployment_started_total counter
dora_change_failure_ratio gauge
dora_commit_lead_time_samples gauge
dora_commit_lead_time_seconds gauge
dora_deployment_days gauge
dora_deployment_duration_samples gauge
dora_deployment_duration_seconds gauge
dora_deployments gauge
dora_deployments_aborted gauge
dora_deployments_per_day gauge
dora_deployments_unfinished gauge
dora_failed_deployment_recovery_samples gauge
dora_failed_deployment_recovery_seconds gauge
dora_failed_deployments gauge
dora_incidents gauge
dora_incidents_open gauge
dora_lead_time_samples gauge
dora_lead_time_seconds gauge
dora_rework_ratio gauge
dora_series_dropped gauge
dora_time_to_detect_samples gauge
dora_time_to_detect_seconds gauge
dora_time_to_restore_samples gauge
dora_time_to_restore_seconds gauge
em_metrics_build_info gauge
em_metrics_config_last_reload_successful gauge
em_metrics_events_total counter
em_metrics_incidents_open gauge
em_metrics_label_sets gauge
em_metrics_label_sets_overflowed_events_total counter
em_metrics_last_event_timestamp_seconds gauge
em_metrics_push_failures_total counter
em_metrics_store_available_bytes gauge
em_metrics_store_size_bytes gauge
em_metrics_store_writable gauge
http_server_request_duration_seconds histogram
incident_count_total counter
incident_finished_total counter
incident_restored_total counter
lead_time_for_changes_seconds histogram
target_info gauge
time_to_detect_seconds histogram
time_to_restore_seconds histogram`

func TestFamilies(t *testing.T) {
	s := programtest.StartService(t)
	s.Post("/deployments", `{"id": "1", "project_id": "shop", "commits": [{"sha": "a", "at": "2026-01-31T09:00:00Z"}]}`)
	s.Post("/deployments/1/deployed", "")
	s.Post("/incidents", `{"id": "7", "project_id": "shop", "deployment_id": "1"}`)
	s.Post("/incidents/7/finished", "")

	metricsWithWindows(t, s)
	exposed := map[string]bool{}
	for line := range strings.Lines(s.Get("/metrics")) {
		family, isType := strings.CutPrefix(strings.TrimSpace(line), "# TYPE ")
		if isType && !strings.HasPrefix(family, "go_") && !strings.HasPrefix(family, "process_") && !strings.HasPrefix(family, "promhttp_") {
			exposed[family] = true
		}
	}
	if got := strings.Join(slices.Sorted(maps.Keys(exposed)), "\n"); got != families {
		t.Errorf("the families are\n%s", got)
	}
}
