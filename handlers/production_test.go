package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/db/dora"
)

// TestFiguresOfProduction has two deployments of shop to production and one of api
// to staging.
func TestFiguresOfProduction(t *testing.T) {
	s := aDay(t)
	for _, test := range []struct {
		production  dora.Environments
		environment string // the parameter
		deployments float64
		frequency   string // its level
		applied     string // what the answer says of production
		mixed       bool
	}{
		{nil, "", 3, "high 2 none 1", "<nil>", true},
		{nil, "*", 3, "high 2 none 1", "<nil>", true},
		{nil, "production", 2, "high 1 none 1", "<nil>", false},
		{dora.Environments{"production"}, "", 2, "high 1 none 1", "[production]", false},
		{dora.Environments{"prod*"}, "", 2, "high 1 none 1", "[prod*]", false},
		{dora.Environments{"live", "stag*"}, "", 1, "high", "[live stag*]", false},
		{dora.Environments{"prod*", "staging"}, "", 3, "high 2 none 1", "[prod* staging]", false},
		{dora.Environments{"production"}, "*", 3, "high 2 none 1", "<nil>", true},
		{dora.Environments{"production"}, "staging", 1, "high", "<nil>", false},
		{dora.Environments{"live"}, "", 0, "", "[live]", false},
	} {
		s.production = test.production
		query := "window=7d"
		if test.environment != "" {
			query += "&environment=" + test.environment
		}
		name := fmt.Sprint(test.production, " ", query)
		got := decoded(t, s.get("/dora?"+query))
		if n := dig(t, got, "groups.0.deployment_frequency.deployments"); n != test.deployments {
			t.Errorf("%s: %v deployments", name, n)
		}
		if level := levelText(dig(t, got, "groups.0.deployment_frequency")); level != test.frequency {
			t.Errorf("%s: level %s", name, level)
		}
		if mixed := dig(t, got, "groups.0.mixed_environments"); mixed != test.mixed || fmt.Sprint(got["production"]) != test.applied {
			t.Errorf("%s: mixed %v, production %v", name, mixed, got["production"])
		}
		explained := decoded(t, s.get("/dora/explain?metric=deployment_frequency&"+query))
		if evidence := dig(t, explained, "evidence").([]any); float64(len(evidence)) != test.deployments ||
			explained["mixed_environments"] != test.mixed || fmt.Sprint(explained["production"]) != test.applied {
			t.Errorf("%s: explained by %v", name, explained)
		}
		value := map[float64]string{0: "none", 1: "1 a week", 2: "2 a week", 3: "3 a week"}[test.deployments]
		if badge := s.get("/badge/deployment_frequency.svg?" + query); !strings.Contains(badge.body, ">"+value) {
			t.Errorf("%s: %s", name, badge.body)
		}
		if rows := strings.Count(s.get("/dora?format=csv&"+query).body, fmt.Sprintf(",%v,", test.deployments)); rows == 0 {
			t.Errorf("%s: CSV has no %v deployments", name, test.deployments)
		}
	}
}

func TestPageDoesNotMixProductionWithOthers(t *testing.T) {
	s := aDay(t)
	const card, region = `<article class="card">`, `aria-label="Environments"`
	for _, test := range []struct {
		production     dora.Environments
		query          string
		has, hasNoneOf []string
	}{
		{
			nil, "", []string{region, "it is not configured which of them count as production", "EM_METRICS_PRODUCTION_ENVIRONMENTS",
				`<a href="?environment=staging&amp;window=7d">`, `<a href="?environment=staging&amp;project_id=api&amp;window=7d">`},
			[]string{card, "Trend as a table"},
		},
		{nil, "&environment=staging", []string{card, "1 deployment on 1 day"}, []string{region, `role="note"`}},
		{
			dora.Environments{"production"}, "",
			[]string{card, "2 deployments on 1 day", "all projects, production", `<option value="" selected>Production</option>`, `<option value="*">All environments</option>`},
			[]string{region, `role="note"`, `<bdi>staging</bdi>`},
		},
		{dora.Environments{"prod*", "staging"}, "", []string{card, "3 deployments on 1 day", "production (prod*, staging)"}, []string{region, `role="note"`}},
		{
			dora.Environments{"production"}, "&environment=*",
			[]string{region, `<a href="?window=7d">Show production</a>`, `<option value="*" selected>All environments</option>`, `dora?bands=2023&amp;environment=%2A&amp;from`},
			[]string{card},
		},
		{
			dora.Environments{"live", "prd-*"}, "",
			[]string{card, "counts as production (live, prd-*)", `<a href="?environment=%2A&amp;window=7d">Show all environments</a>`},
			[]string{region},
		},
		{nil, "&project_id=shop", []string{card}, []string{region, `role="note"`}}, // is in one environment
	} {
		s.production = test.production
		page := s.get("/?window=7d" + test.query).body
		for _, want := range test.has {
			if !strings.Contains(page, want) {
				t.Errorf("%q%s: no %s", test.production, test.query, want)
			}
		}
		events := strings.Index(page, "Recent events")
		for _, unwanted := range test.hasNoneOf {
			if strings.Contains(page[:events], unwanted) {
				t.Errorf("%q%s: has %s", test.production, test.query, unwanted)
			}
		}
	}
}
