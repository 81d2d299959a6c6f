package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// TestPatternsOfEnvironmentsMatchAsInGo compares what the store selects by a pattern
// with what the pattern matches.
func TestPatternsOfEnvironmentsMatchAsInGo(t *testing.T) {
	names := []string{"prod", "Prod", "prod-eu", "eu-prod", "pro?", "pro[d]", "p]d", "p\\d", "prod*", "p_d", "p%d", "žprod", "pod", "padded"}
	s := openAt(t, at(doraNow))
	var h history
	for _, name := range names {
		h.deployments = append(h.deployments, pastDeployment{
			project: "shop", environment: name, id: "1", commit: doraNow, start: doraNow, deployed: doraNow,
		})
	}
	h.store(t, s)
	for _, pattern := range []string{
		"prod", "prod*", "*prod", "*prod*", "pro?", "pro[d]", "pro[*", "p]*", "p\\*", "p_d", "p%*", "*", "p*d*d", "prod**", "?rod", "[a-z]*", "^p*", "[^x]rod",
	} {
		groups, err := s.Dora(context.Background(), dora.Query{
			From: doraNow.Add(-time.Hour), To: doraNow.Add(time.Hour), GroupBy: dora.GroupBy{Environment: true},
			Filter: dora.Filter{Environments: dora.Environments{pattern}},
		})
		if err != nil {
			t.Fatal(err)
		}
		selected := map[string]bool{}
		for _, g := range groups {
			selected[g.Environment] = true
		}
		for _, name := range names {
			if matches := (dora.Environments{pattern}).Match(name); selected[name] != matches {
				t.Errorf("%s and %s: selected %v, matches %v", pattern, name, selected[name], matches)
			}
		}
	}
}
