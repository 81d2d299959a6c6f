package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/db/dbtest"
	"github.com/em-metrics/em-metrics/db/dora"
)

// TestLevelsBelongToOneProjectInOneEnvironment asks for the figures of a day with
// two deployments of shop to production and one of api to staging, where api has
// an incident in production too. It compares the level of the frequency, the lead
// time, the failure rate and the recovery with the words "level", or "level
// count" over several projects.
func TestLevelsBelongToOneProjectInOneEnvironment(t *testing.T) {
	s := aDay(t)
	for _, test := range []struct{ query, frequency, lead, failures, recovery string }{
		{"", "high 2 none 1", "elite 2 none 1", "elite 1 low 1 none 1", "elite 1 none 2"},
		{"project_id=shop", "high", "elite", "low", "elite"},
		{"project_id=shop&environment=production", "high", "elite", "low", "elite"},
		{"environment=staging", "high", "elite", "elite", ""}, // has one project
		{"environment=production", "high 1 none 1", "elite 1 none 1", "low 1 none 1", "elite 1 none 1"},
		{"project_id=api", "high 1 none 1", "elite 1 none 1", "elite 1 none 1", "none 2"}, // is in two environments
		{"project_id=api&environment=staging", "high", "elite", "elite", ""},
		{"project_id=nobody", "", "", "", ""},
		{"group_by=team", "high 2 none 1", "elite 2 none 1", "elite 1 low 1 none 1", "elite 1 none 2"},
		{"bands=2021&project_id=shop", "high", "high", "low", ""},
		{"bands=2021", "high 2 none 1", "high 2 none 1", "elite 1 low 1 none 1", ""},
		{
			"bands=answers&project_id=shop", "between once per day and once per week", "less than one day", "",
			"less than one hour",
		},
	} {
		want := []string{test.frequency, test.lead, test.failures, test.recovery}
		compare(t, test.query, levels(t, s, "/dora?window=7d&"+test.query, "groups.0."), want)
		explained := decoded(t, s.get("/dora/explain?window=7d&metric=deployment_frequency&"+strings.TrimPrefix(test.query, "group_by=team")))
		if got := levelText(dig(t, explained, "figure")); got != test.frequency {
			t.Errorf("explain %s: %s", test.query, got)
		}
	}
	grouped := "/dora?window=7d&group_by=project,environment"
	compare(t, "api in production", levels(t, s, grouped, "groups.0."), []string{"", "", "", ""})
	compare(t, "api in staging", levels(t, s, grouped, "groups.1."), []string{"high", "elite", "elite", ""})
	compare(t, "shop in production", levels(t, s, grouped, "groups.2."), []string{"high", "elite", "low", "elite"})
}

// levels returns the levels of four figures in a group or an interval of an answer.
func levels(t *testing.T, s *service, request, at string) (found []string) {
	t.Helper()
	got := decoded(t, s.get(request))
	for _, figure := range []string{"deployment_frequency", "change_lead_time", "change_failure_rate", "failed_deployment_recovery_time"} {
		found = append(found, levelText(dig(t, got, at+figure)))
	}
	return found
}

// levelText describes the level of a figure, or how many are at each level.
func levelText(figure any) string {
	value, ok := figure.(map[string]any)
	if !ok {
		return fmt.Sprint(figure)
	}
	if level, ok := value["level"].(string); ok {
		return level
	}
	counts, _ := value["levels"].(map[string]any)
	var words []string
	for _, level := range []string{"elite", "high", "medium", "low", "none"} {
		if n, ok := counts[level].(float64); ok && n > 0 {
			words = append(words, fmt.Sprint(level, " ", n))
		}
	}
	return strings.Join(words, " ")
}

func TestNoLevelsInLessThanAWeek(t *testing.T) {
	s := aDay(t)
	s.now.Set(dbtest.At("12:00").AddDate(0, 0, 14))
	rated, unrated := []string{"high", "elite", "low", "elite"}, []string{"", "", "", ""}
	for _, test := range []struct {
		query, at string
		want      []string
	}{
		{"from=2026-03-02&to=2026-03-09", "groups.0.", rated},
		{"from=2026-03-03&to=2026-03-09", "groups.0.", unrated},
		{"from=2026-03-02&to=2026-03-16&interval=week", "groups.0.series.0.", rated},
		{"from=2026-03-02&to=2026-03-16&interval=day", "groups.0.series.2.", unrated},
		{"from=2026-03-03&to=2026-03-16&interval=week", "groups.0.", rated},
		{"from=2026-03-03&to=2026-03-16&interval=week", "groups.0.series.0.", unrated}, // cut off
	} {
		compare(t, test.query, levels(t, s, "/dora?project_id=shop&"+test.query, test.at), test.want)
	}
	compare(t, "a week of several projects", levels(t, s, "/dora?from=2026-03-02&to=2026-03-16&interval=week", "groups.0.series.0."), unrated)
}

func TestLevelsOnThePageAndInBadges(t *testing.T) {
	s := aDay(t)
	s.production = dora.Environments{"production", "staging"}
	page := s.get("/?window=7d").body
	for _, want := range []string{
		`<span class="level high">2 high</span> <span class="level ">1 without a level</span>`,
		"A level belongs to one project in one environment", `<span class="level low">low</span>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if one := s.get("/?window=7d&project_id=shop").body; !strings.Contains(one, `<span class="level high">high</span>`) {
		t.Error("the page of one project has no level")
	}
	if answers := s.get("/?window=7d&project_id=shop&bands=answers").body; !strings.Contains(answers, `<span class="level answer">less than one day</span>`) {
		t.Error("the page has no answers")
	}
	for query, want := range map[string][]string{
		"":                {"3 a week · 2 high, 1 without a level<", "(2 high, 1 without a level by the bands of", "#5f6b7a"},
		"project_id=shop": {">2 a week<", "(high by the bands of", "#2f6fb5"},
		"bands=answers":   {">3 a week<", "1 without a level", "#5f6b7a"},
	} {
		got := s.get("/badge/deployment_frequency.svg?window=7d&" + query)
		for _, text := range want {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: no %s in %s", query, text, got.body)
			}
		}
	}
}
