package handlers_test

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "update the golden files")

// TestFiguresMatchTheGoldenFile compares every answer that shows figures, byte for
// byte, with a golden file: the names and the order of fields and columns are
// part of the API.
func TestFiguresMatchTheGoldenFile(t *testing.T) {
	s := aDay(t)
	requests := []string{
		"/dora?window=1d",
		"/dora?window=1d&bands=2021&group_by=project,team,environment",
		"/dora?from=2026-03-03&to=2026-03-06&interval=day&group_by=project&tz=Asia/Tokyo",
		"/dora?window=1d&project_id=nothing",
		"/dora?window=7d",
		"/dora?window=7d&group_by=project&bands=2021",
		"/dora?window=7d&project_id=shop&bands=answers",
		"/dora?window=7d&format=csv&group_by=project",
		"/dora?window=1d&format=csv&group_by=project",
		"/dora?window=1d&format=csv&bands=2021",
		"/dora?from=2026-03-03&to=2026-03-06&interval=day&format=csv",
	}
	for _, metric := range []string{
		"deployment_frequency", "change_lead_time", "change_failure_rate", "failed_deployment_recovery_time",
		"deployment_rework_rate", "deployment_duration", "unfinished_deployments", "time_to_restore", "time_to_detect",
		"incidents", "open_incidents", "commit_lead_time", "aborted_deployments",
	} {
		requests = append(requests,
			"/dora/explain?window=1d&metric="+metric, "/dora/explain?window=1d&format=csv&metric="+metric,
			"/badge/"+metric+".svg?window=1d", "/badge/"+metric+".svg?window=1d&project_id=nothing",
			"/badge/"+metric+".svg?window=7d", "/badge/"+metric+".svg?window=7d&project_id=shop")
	}
	var got strings.Builder
	for _, request := range requests {
		answer := s.get(request)
		if answer.status != 200 {
			t.Fatal(request, answer)
		}
		got.WriteString("GET " + request + "\n" + answer.body + "\n")
	}
	const golden = "testdata/figures.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	wanted := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(wanted) || line != wanted[i] {
			t.Fatalf("%s differs from line %d (update it with -update); got:\n%s", golden, i+1, line)
		}
	}
}
