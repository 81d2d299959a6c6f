package handlers_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestFailureRateWithoutLinkedIncidents has a deployment and incidents, of which
// some are linked to it.
func TestFailureRateWithoutLinkedIncidents(t *testing.T) {
	const note = "no incident linked"
	for name, test := range map[string]struct {
		linked, unlinked int
		level            string
		isNoted          bool
	}{
		"no incidents":   {0, 0, "elite", false},
		"none is linked": {0, 2, "", true},
		"one is linked":  {1, 2, "low", false},
		"all are linked": {2, 0, "low", false},
	} {
		s := start(t)
		s.must("POST /deployments", `{"id":"1","project_id":"shop","first_commit_at":"@07:00","deploy_start_at":"@07:50","deployed_at":"@08:00"}`)
		s.must("POST /deployments/1/deployed", `{"project_id":"shop"}`)
		for i := range test.linked + test.unlinked {
			link := ""
			if i < test.linked {
				link = `"deployment_id":"1",`
			}
			s.must("POST /incidents", fmt.Sprintf(`{%s"id":"%d","project_id":"shop","started_at":"@09:00"}`, link, i))
		}
		want := []string{"high", "elite", test.level, ""}
		compare(t, name, levels(t, s, "/dora?window=7d", "groups.0."), want)
		got := decoded(t, s.get("/dora/explain?window=7d&metric=change_failure_rate"))
		if n := dig(t, got, "figure.unlinked_incidents"); n != float64(test.unlinked) {
			t.Errorf("%s: %v unlinked incidents", name, n)
		}
		if level := levelText(dig(t, got, "figure")); level != test.level {
			t.Errorf("%s: explained level %s", name, level)
		}
		page := s.get("/?window=7d").body
		for _, text := range []string{"0 of 1 deployment; 2 incidents, none linked to a deployment", `<span class="quiet">` + note, "0.0% (" + note + ")"} {
			if strings.Contains(page, text) != test.isNoted {
				t.Errorf("%s: the page has %q: %v", name, text, !test.isNoted)
			}
		}
		if badge := s.get("/badge/change_failure_rate.svg?window=7d").body; strings.Contains(badge, ">0.0% ("+note+")<") != test.isNoted {
			t.Errorf("%s: %s", name, badge)
		}
	}
}
