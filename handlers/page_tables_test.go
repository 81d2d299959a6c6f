package handlers_test

import (
	"encoding/csv"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// section returns the part of a page from a heading to the next one.
func section(page, heading string) string {
	_, rest, _ := strings.Cut(page, "<h2>"+heading+"</h2>")
	rest, _, _ = strings.Cut(rest, "<h2>")
	return rest
}

var rowPattern = regexp.MustCompile(`<tr><th scope="row">(?:<a [^>]*>)?(?:<bdi>)?([^<]*)`)

// rowsOf returns the first cell of each row of a section.
func rowsOf(page, heading string) (names []string) {
	for _, row := range rowPattern.FindAllStringSubmatch(section(page, heading), -1) {
		names = append(names, row[1])
	}
	return names
}

// twoTeams is a day of three projects of two teams, and of one without a team.
func twoTeams(t *testing.T) *service {
	t.Helper()
	s := start(t, withTeams(t, `{"teams": {"red": {"projects": ["shop", "api"]}, "blue": {"projects": ["app"]}}, "production": ["production"]}`))
	s.production = []string{"production"}
	deploy := func(project, environment string, lead time.Duration, times int) {
		for i := range times {
			at := time.Date(2026, 3, 4, 8, i, 0, 0, time.UTC)
			body := fmt.Sprintf(`{"id":"%s-%d","project_id":%[1]q,"environment":%[3]q,"first_commit_at":%[4]q,"deploy_start_at":%[5]q}`,
				project, i, environment, at.Add(-lead).Format(time.RFC3339), at.Format(time.RFC3339))
			s.must("POST /deployments", body)
			s.must(fmt.Sprintf("POST /deployments/%s-%d/deployed", project, i), fmt.Sprintf(`{"project_id":%q,"environment":%q,"deployed_at":%q}`, project, environment, at.Format(time.RFC3339)))
		}
	}
	deploy("shop", "production", time.Hour, 3)
	deploy("api", "production", 3*time.Hour, 2)
	deploy("app", "production", 2*time.Hour, 4)
	deploy("none", "production", 4*time.Hour, 1)
	deploy("shop", "staging", 9*time.Hour, 1)
	for _, i := range []string{
		`{"id":"open","project_id":"shop","environment":"production","deployment_id":"shop-1","started_at":"@09:00"}`,
		`{"id":"restored","project_id":"shop","environment":"production","started_at":"@09:10","restored_at":"@10:30"}`,
		`{"id":"closed","project_id":"app","environment":"production","started_at":"@09:20","restored_at":"@09:30","finished_at":"@09:40"}`,
	} {
		s.must("POST /incidents", i)
	}
	return s
}

func TestTablesOfThePageAreSorted(t *testing.T) {
	s := twoTeams(t)
	for sort, want := range map[string]struct{ teams, projects string }{
		"":                      {"red blue no team", "app shop api none"},
		"deployments":           {"no team blue red", "none api shop app"},
		"name":                  {"no team blue red", "api app none shop"},
		"-name":                 {"red blue no team", "shop none app api"},
		"change_lead_time":      {"red blue no team", "shop app api none"},
		"-change_lead_time":     {"no team blue red", "none api app shop"},
		"-change_failure_rate":  {"red blue no team", "shop app api none"},
		"-open_incidents":       {"red blue no team", "shop app api none"},
		"-deployment_frequency": {"red blue no team", "app shop api none"},
		// No failed deployment has recovered, so the order is that of the deployments.
		"failed_deployment_recovery_time": {"red blue no team", "app shop api none"},
	} {
		page := s.get("/?window=1d&sort=" + sort).body
		teams, projects := strings.Join(rowsOf(page, "Teams"), " "), strings.Join(rowsOf(page, "Projects"), " ")
		if teams != want.teams || projects != want.projects {
			t.Errorf("sort=%s: teams %s, projects %s", sort, teams, projects)
		}
		if n := strings.Count(page, ` aria-sort="`); n != 2 {
			t.Errorf("sort=%s: %d columns say that the table is sorted by them", sort, n)
		}
	}
	page := s.get("/?window=1d&sort=-change_lead_time").body
	for _, want := range []string{
		`aria-sort="descending" title="Time until a deployment`, `<a href="?sort=change_lead_time&amp;window=1d">Lead time</a>`,
		`<a href="?sort=name&amp;window=1d">Team</a>`, `<a href="?sort=-deployments&amp;window=1d">Deployments</a>`,
		`<a href="?sort=-change_lead_time&amp;team_id=red&amp;window=1d"><bdi>red</bdi></a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if got := s.get("/?sort=luck"); got.status != 400 || !strings.Contains(got.String(), `sort is "luck": send one of name, deployments`) {
		t.Error(got)
	}
}

// TestFiltersApplyToEverySection looks for what does not match.
func TestFiltersApplyToEverySection(t *testing.T) {
	s := twoTeams(t)
	for query, test := range map[string]struct{ hidden, shown []string }{
		"team_id=blue":     {[]string{"shop", "api", "none"}, []string{"app"}},
		"project_id=api":   {[]string{"shop", "app", "none"}, []string{"api"}},
		"environment=test": {[]string{"shop", "app", "none", "api"}, nil},
		"":                 {[]string{"staging"}, []string{"production", "app", "none", "api", "shop"}},
	} {
		page := s.get("/?window=1d&" + query).body
		for _, name := range test.hidden {
			if strings.Contains(page, "<bdi>"+name) {
				t.Errorf("%q: the page has %s", query, name)
			}
		}
		for _, heading := range []string{"Projects", "Latest deployments", "Recent events"} {
			for _, name := range test.shown {
				if !strings.Contains(section(page, heading), "<bdi>"+name) && heading != "Recent events" && name != "production" {
					t.Errorf("%q: %s has no %s", query, heading, name)
				}
			}
		}
	}
	if page := s.get("/?environment=test").body; !strings.Contains(page, "None of the latest 10000 events matches the filters.") ||
		!strings.Contains(page, "Nothing that matches is recorded until the end of this window.") {
		t.Error("the page does not say that nothing matches")
	}
}

// TestOpenIncidentsAreThoseThatTheFigureCounts compares the list with the column and
// with /dora at several ends of the window.
func TestOpenIncidentsAreThoseThatTheFigureCounts(t *testing.T) {
	s := twoTeams(t)
	for query, want := range map[string]string{
		"window=1d":                      "open",
		"window=1d&to=2026-03-04T10:00Z": "restored open",
		"window=1d&to=2026-03-04T09:05Z": "open",
		"window=1d&to=2026-03-04T09:25Z": "closed restored open",
		"window=1d&to=2026-03-04T08:30Z": "",
	} {
		query = strings.ReplaceAll(query, "0Z", "0:00Z")
		query = strings.ReplaceAll(query, "5Z", "5:00Z")
		listed := rowsOf(s.get("/?"+query).body, "Open incidents")
		if strings.Join(listed, " ") != want {
			t.Errorf("%s: %q, want %s", query, listed, want)
		}
		if counted := dig(t, decoded(t, s.get("/dora?"+query)), "groups.0.open_incidents"); counted != float64(len(listed)) {
			t.Errorf("%s: %v are counted, %d listed", query, counted, len(listed))
		}
	}
	if restored := rowsOf(s.get("/").body, "Restored, not closed"); !slices.Equal(restored, []string{"restored"}) {
		t.Errorf("restored and not closed: %q", restored)
	}
}

func TestPageOfAnInstallationWithOldDataLeadsToIt(t *testing.T) {
	s := twoTeams(t)
	s.now.Set(time.Date(2027, 4, 1, 12, 0, 0, 0, time.UTC))
	const old, none = "Nothing happened in this window. What is recorded ends on 4 March 2026.", "in an environment that counts as production"
	for _, test := range []struct{ query, says, link string }{
		{"", old, `<a href="?period=2026-03">Show March 2026</a>`}, // although an incident is open to this day
		{"window=7d&team_id=blue&tz=Asia%2FTokyo", old, `<a href="?period=2026-03&amp;team_id=blue&amp;tz=Asia%2FTokyo">`},
		{"project_id=nobody", none, `environment=%2A`},
		{"period=2025-01", none, `environment=%2A`},
		{"period=2026-03", "", ""},
	} {
		_, notice, _ := strings.Cut(s.get("/?"+test.query).body, `role="note">`)
		notice, _, _ = strings.Cut(notice, "</p>")
		if !strings.Contains(notice, test.says) || !strings.Contains(notice, test.link) || (notice == "") != (test.says == "") {
			t.Errorf("%q: %s", test.query, notice)
		}
	}
}

// TestTablesOfThePageAsCSV follows the links below the tables.
func TestTablesOfThePageAsCSV(t *testing.T) {
	s := twoTeams(t)
	page := s.get("/?window=1d&sort=name").body
	link := regexp.MustCompile(`<a href="(\?[^"]*)">(\w+) as CSV</a>`)
	tables := map[string][][]string{}
	for _, found := range link.FindAllStringSubmatch(page, -1) {
		got := s.get("/" + html.UnescapeString(found[1]))
		if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%s: %d %s", found[1], got.status, got.header)
		}
		records, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		tables[found[2]] = records
	}
	want := map[string][]string{
		"Project": {"api", "app", "none", "shop"}, "Team": {"no team", "blue", "red"},
	}
	for title, names := range want {
		table := tables[title+"s"]
		if len(table) != len(names)+1 || table[0][0] != title {
			t.Fatalf("%s: %q", title, table)
		}
		for i, name := range names {
			if table[i+1][0] != name {
				t.Errorf("%s %d is %q", title, i, table[i+1])
			}
		}
	}
	shop := map[string]string{}
	for i, column := range tables["Projects"][0] {
		shop[column] = tables["Projects"][4][i]
	}
	for column, value := range map[string]string{
		"Deployments": "3", "Deployments per day": "3", "Change lead time, median (hours)": "1", "Change lead time, 90th percentile (hours)": "1",
		"Change failure rate (%)": "33.33333333333333", "Failed deployment recovery time, median (hours)": "", "Open incidents": "1",
	} {
		if got, ok := shop[column]; !ok || got != value {
			t.Errorf("%s of shop is %q, want %q, in %q", column, got, value, shop)
		}
	}
	if mixed := s.get("/?format=csv&table=environments&environment=*&window=1d").body; !strings.Contains(mixed, "\nproduction,production,10,") || !strings.Contains(mixed, "\nstaging,staging,1,") {
		t.Error(mixed)
	}
}
