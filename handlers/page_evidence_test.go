package handlers_test

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// TestEvidenceIsAPageForBrowsers compares the lists of the page with the answer for
// programs.
func TestEvidenceIsAPageForBrowsers(t *testing.T) {
	s := twoTeams(t)
	const path = "/dora/explain?window=1d&metric="
	for metric, want := range map[string]struct {
		lists map[string]string // the ids by heading
		says  []string
	}{
		"change_failure_rate": {
			map[string]string{"Failed deployments (1)": "shop-1", "Other deployments (9)": "app-3 app-2 shop-2 app-1 api-1 none-0 app-0 api-0 shop-0"},
			[]string{"<strong>10.0%</strong>", "1 of 10 deployments", "2 of 3 incidents of this window are linked to no deployment, and so make no deployment a failed one.",
				`<a href="../incidents/open?environment=production&amp;project_id=shop"><bdi>open</bdi></a>`},
		},
		"deployment_rework_rate": {map[string]string{"Rework deployments (0)": "", "Other deployments (10)": "app-3 app-2 shop-2 app-1 api-1 shop-1 none-0 app-0 api-0 shop-0"}, []string{"None."}},
		"change_lead_time": {
			map[string]string{"Deployments (10)": "app-3 app-2 shop-2 app-1 api-1 shop-1 none-0 app-0 api-0 shop-0"},
			[]string{"<strong>2 h</strong>", `<th scope="col" class="number">Change lead time</th>`, `<td class="number">4 h</td>`, "from the oldest of its commits"},
		},
		"failed_deployment_recovery_time": {map[string]string{"Deployments (0)": ""}, []string{"<strong>no data</strong>", "While one of them is open, there is no recovery time."}},
		"time_to_restore":                 {map[string]string{"Incidents (2)": "restored closed"}, []string{`<td class="number">10 min</td>`}},
		"time_to_detect": {
			map[string]string{"Incidents (1)": "open"},
			[]string{"2 of 3 incidents have no deployment that was deployed before, and so no sample.", `../deployments/shop-1?`},
		},
		"open_incidents": {map[string]string{"Incidents (1)": "open"}, []string{"were not restored at the end of the window"}},
	} {
		got := s.get(path+metric, browser)
		if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || got.header.Get("Vary") != "Accept" {
			t.Fatalf("%s: %d %s", metric, got.status, got.header)
		}
		before := -1
		for _, heading := range sectionsOf(got.body) {
			ids, isList := want.lists[heading]
			if rows := strings.Join(rowsOf(got.body, heading), " "); isList && rows != ids {
				t.Errorf("%s: %s has %s", metric, heading, rows)
			}
			if at := strings.Index(got.body, heading); isList && at < before {
				t.Errorf("%s: %s comes too late", metric, heading)
			} else if isList {
				before = at
			}
			delete(want.lists, heading)
		}
		if len(want.lists) > 0 {
			t.Errorf("%s: no lists %v in %q", metric, want.lists, sectionsOf(got.body))
		}
		for _, text := range want.says {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: no %s", metric, text)
			}
		}
	}
	for _, headers := range [][]string{{"Accept: */*"}, {"Accept: application/json"}, nil} {
		if got := s.get(path+"incidents", headers...); got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: %s", headers, got.header.Get("Content-Type"))
		}
	}
	if got := s.get(path+"incidents&format=html", "Accept: application/json"); !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Error("format=html is JSON")
	}
	if got := s.get(path+"incidents&format=json", browser); got.header.Get("Content-Type") != "application/json" {
		t.Error("format=json is HTML for a browser")
	}
}

func sectionsOf(page string) (headings []string) {
	for _, heading := range regexp.MustCompile(`<h2>([^<]*)</h2>`).FindAllStringSubmatch(page, -1) {
		headings = append(headings, heading[1])
	}
	return headings
}

// TestEvidenceOfCommitsAndAbortedDeployments looks at what is not evidence of a failed
// or a recovered deployment.
func TestEvidenceOfCommitsAndAbortedDeployments(t *testing.T) {
	s := start(t)
	var commits []string
	for i := range 12 {
		commits = append(commits, fmt.Sprintf(`{"sha": "%040x", "at": "@10:30"}`, i))
	}
	s.must("POST /deployments/known/deployed", `{"project_id": "shop", "create_if_not_exists": true, "deployed_at": "@11:00", "commits": [`+strings.Join(commits, ", ")+`]}`)
	s.must("POST /deployments/unknown/deployed", `{"project_id": "shop", "create_if_not_exists": true, "deployed_at": "@11:10", "first_commit_at": null}`)
	s.must("POST /deployments/given-up/aborted", `{"project_id": "shop", "create_if_not_exists": true, "date": "@11:20", "first_commit_at": null}`)
	for metric, want := range map[string]struct {
		heading, ids string
		says         []string
	}{
		"commit_lead_time": {"Commits (12)", "known", []string{
			"It counts each commit of the deployments that were deployed in the window, where commits are known.",
			`<th scope="col">First commit</th><th scope="col">Started</th><th scope="col">Deployed</th><th scope="col">Commits</th>`,
			"<bdi>00000000000… (30 min)</bdi>", "<bdi>and 2 more</bdi>",
		}},
		"aborted_deployments": {"Deployments (1)", "given-up", []string{
			"It counts deployments that were aborted in the window and have not been deployed to date.", `<th scope="col">Deployed</th>`,
		}},
		"unfinished_deployments": {"Deployments (0)", "", []string{"have been neither deployed nor aborted to date"}},
	} {
		page := s.get("/dora/explain?window=1d&metric="+metric, browser).body
		if ids := strings.Join(rowsOf(page, want.heading), " "); ids != want.ids || !slices.Contains(sectionsOf(page), want.heading) {
			t.Errorf("%s: %q has %q in %q", metric, want.heading, ids, sectionsOf(page))
		}
		for _, text := range want.says {
			if !strings.Contains(page, text) {
				t.Errorf("%s: no %s", metric, text)
			}
		}
		if strings.Contains(page, "<li></li>") {
			t.Errorf("%s: a rule is empty", metric)
		}
	}
}

// TestEvidenceIsReadPageByPage follows the links of each list.
func TestEvidenceIsReadPageByPage(t *testing.T) {
	s := twoTeams(t)
	next := regexp.MustCompile(`<a href="(\?[^"]*)" rel="next">Older deployments</a>`)
	var ids []string
	for path := "?metric=change_failure_rate&window=1d&counted=false&limit=4"; path != ""; {
		page := s.get("/dora/explain"+path, browser).body
		if strings.Contains(page, "<h2>Failed deployments") {
			t.Error("what is counted is listed too")
		}
		ids = append(ids, rowsOf(page, "Other deployments (9)")...)
		path = ""
		if link := next.FindStringSubmatch(page); link != nil {
			path = html.UnescapeString(link[1]) + "&limit=4"
		}
	}
	if got := strings.Join(ids, " "); got != "app-3 app-2 shop-2 app-1 api-1 none-0 app-0 api-0 shop-0" {
		t.Error(got)
	}
}

func TestCountedEvidenceForPrograms(t *testing.T) {
	s := twoTeams(t)
	for counted, want := range map[string]int{"true": 1, "false": 9} {
		answer := decoded(t, s.get("/dora/explain?metric=change_failure_rate&window=1d&counted="+counted))
		if got := dig(t, answer, "evidence").([]any); len(got) != want {
			t.Errorf("counted=%s: %d", counted, len(got))
		}
	}
	if got := s.get("/dora/explain?metric=incidents&counted=maybe"); got.status != 400 || !strings.Contains(got.String(), `counted is "maybe": send one of true, false`) {
		t.Error(got)
	}
}

func TestLinksAndFormsOfEvidenceKeepWhatWasChosen(t *testing.T) {
	s := aDay(t)
	const query = "bands=2021&environment=production&metric=time_to_restore&period=2026-03&project_id=shop&recovery_from=deployment&tz=Europe%2FBerlin"
	page := s.get("/dora/explain?"+query, browser).body
	for i, values := range forms(page) {
		if values.Set("period", "2026-03"); values.Encode() != query {
			t.Errorf("form %d sends %s", i, values.Encode())
		}
	}
	for _, link := range []string{
		`href="../?bands=2021&amp;environment=production&amp;period=2026-03&amp;project_id=shop&amp;recovery_from=deployment&amp;tz=Europe%2FBerlin">All metrics`,
		`metric=time_to_restore&amp;project_id=shop&amp;recovery_from=deployment&amp;to=2026-03-04T12%3A00%3A00.001Z&amp;tz=Europe%2FBerlin&amp;format=csv">CSV`,
		`<a href="?bands=2021&amp;environment=production&amp;metric=time_to_restore&amp;period=2026-02&amp;project_id=shop`,
	} {
		if !strings.Contains(page, link) {
			t.Errorf("no %s", link)
		}
	}
}

func TestBrowsersGetProblemsAsPages(t *testing.T) {
	s := start(t)
	for path, want := range map[string]string{
		"/?window=soon&bands=1999":            `<strong><bdi>window</bdi></strong> is &#34;soon&#34;: send a whole number of hours, days or weeks`,
		"/?luck=1":                            `<strong><bdi>luck</bdi></strong> is not a known parameter`,
		"/?refresh=1s":                        `is &#34;1s&#34;: send whole seconds or minutes from 10s to 1h`,
		"/?refresh=soon":                      `<strong><bdi>refresh</bdi></strong>`,
		"/?kiosk=maybe":                       `<strong><bdi>kiosk</bdi></strong> is &#34;maybe&#34;: send one of true, false`,
		"/dora/explain":                       `<strong><bdi>metric</bdi></strong> must be one of deployment_frequency`,
		"/dora/explain?metric=luck&window=1d": `href="../">Show the metrics of the last 30 days`,
		"/api/v1/dora/explain?metric=<script>alert(1)</script>": `<strong><bdi>metric</bdi></strong>`,
	} {
		got := s.get(path, browser)
		if got.status != 400 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, want) ||
			!strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(got.body, "<script") {
			t.Errorf("%s: %d %s %s", path, got.status, got.header.Get("Content-Type"), got.body)
		}
		if got := s.get(path); got.status != 400 || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s for a program", path, got.status, got.header.Get("Content-Type"))
		}
	}
}

func TestKioskAndRefresh(t *testing.T) {
	s := twoTeams(t)
	for query, want := range map[string]struct {
		isKiosk bool
		refresh string
	}{
		"":                        {},
		"?kiosk":                  {isKiosk: true},
		"?kiosk=true&refresh=60s": {true, "60"},
		"?kiosk=false":            {},
		"?refresh=5m":             {refresh: "300"},
	} {
		page := s.get("/" + query).body
		refreshed := regexp.MustCompile(`<meta http-equiv="refresh" content="(\d+)">`).FindStringSubmatch(page)
		if (len(refreshed) > 0) != (want.refresh != "") || len(refreshed) > 0 && refreshed[1] != want.refresh {
			t.Errorf("%q: refreshed every %q s", query, refreshed)
		}
		isKiosk := strings.Contains(page, `<body class="kiosk">`)
		if isKiosk != want.isKiosk || strings.Contains(page, "<table") == isKiosk || strings.Contains(page, "1 open incident.") != isKiosk {
			t.Errorf("%q: kiosk %v", query, isKiosk)
		}
		if stop := `(<a href="?">stop</a>)`; strings.Contains(page, stop) != (query == "?refresh=5m") {
			t.Errorf("%q: a link to stop", query)
		}
	}
}
