package handlers_test

import (
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	formPattern   = regexp.MustCompile(`(?s)<form method="get"[^>]*>(.*?)</form>`)
	inputPattern  = regexp.MustCompile(`<input [^>]*name="([^"]*)"[^>]* value="([^"]*)"`)
	selectPattern = regexp.MustCompile(`(?s)<select name="([^"]*)">(.*?)</select>`)
	chosenPattern = regexp.MustCompile(`<option value="([^"]*)" selected`)
	linkPattern   = regexp.MustCompile(`<a [^>]*href="((?:\?|dora/explain\?)[^"]*)"`)
)

// forms returns what each form of a page sends if nothing in it is changed.
func forms(page string) (sent []url.Values) {
	for _, form := range formPattern.FindAllStringSubmatch(page, -1) {
		values := url.Values{}
		for _, input := range inputPattern.FindAllStringSubmatch(form[1], -1) {
			values.Add(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
		}
		for _, control := range selectPattern.FindAllStringSubmatch(form[1], -1) {
			for _, chosen := range chosenPattern.FindAllStringSubmatch(control[2], -1) {
				values.Add(control[1], html.UnescapeString(chosen[1]))
			}
		}
		maps.DeleteFunc(values, func(_ string, v []string) bool { return len(v) == 1 && v[0] == "" })
		sent = append(sent, values)
	}
	return sent
}

// linksOf returns the links of a page to the page itself and to evidence.
func linksOf(t *testing.T, page string) (links []url.Values) {
	t.Helper()
	for _, link := range linkPattern.FindAllStringSubmatch(page, -1) {
		_, query, _ := strings.Cut(html.UnescapeString(link[1]), "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(link[1], err)
		}
		links = append(links, values)
	}
	return links
}

func TestLinksAndFormsOfThePageKeepWhatWasChosen(t *testing.T) {
	s := aDay(t)
	const options = "bands=2021&recovery_from=deployment&tz=Europe%2FBerlin&project_id=shop&environment=production"
	for _, window := range []string{"period=2026-03", "window=90d", "from=2026-03-01&to=2026-03-04", "from=2026-03-01T10:00:00Z", "period=this-quarter", "to=2026-03-05"} {
		chosen, err := url.ParseQuery(options + "&" + window)
		if err != nil {
			t.Fatal(err)
		}
		page := s.get("/?" + chosen.Encode()).body
		sent := forms(page)
		if len(sent) != 3 {
			t.Fatalf("%s: %d forms", window, len(sent))
		}
		for i, values := range sent {
			want := maps.Clone(chosen)
			if i > 0 { // a form for the window alone: without a choice in it, it is the default
				maps.DeleteFunc(want, func(name string, _ []string) bool {
					return slices.Contains([]string{"window", "period", "from", "to"}, name) && !values.Has(name)
				})
			}
			if i == 1 { // the month that is shown is chosen, however it was asked for
				want.Del("period")
				values.Del("period")
			}
			if values.Encode() != want.Encode() {
				t.Errorf("%s: form %d sends %s", window, i, values.Encode())
			}
		}
		links := linksOf(t, page)
		if len(links) < 13 {
			t.Errorf("%s: %d links", window, len(links))
		}
		for _, link := range links {
			for _, name := range []string{"bands", "recovery_from", "tz", "project_id", "environment"} {
				if link.Get(name) != chosen.Get(name) {
					t.Errorf("%s: a link loses %s: %s", window, name, link.Encode())
				}
			}
			if link.Has("metric") {
				link.Del("metric")
				if link.Encode() != chosen.Encode() {
					t.Errorf("%s: the evidence is of another window: %s", window, link.Encode())
				}
			}
		}
	}
}

func TestWindowOfThePage(t *testing.T) {
	s := aDay(t) // at noon of 4 March 2026
	s.production = []string{"production"}
	for query, want := range map[string][]string{
		"":                     {`<a href="?window=30d" aria-current="true">30 days</a>`},
		"window=7d":            {`<a href="?window=7d" aria-current="true">7 days</a>`, `<a href="?window=30d">30 days</a>`},
		"period=this-month":    {`aria-current="true">This month</a>`, "March 2026 so far: 1 March 2026, 00:00 to 4 March 2026", "← February 2026", `<option value="2026-03" selected>March 2026</option>`},
		"period=2026-02":       {"February 2026: 1 February 2026, 00:00 to 1 March 2026, 00:00 (UTC)", `<a href="?period=2026-01" rel="prev">← January 2026</a>`, `<a href="?period=2026-03" rel="next">March 2026 →</a>`, "compared with January 2026"},
		"period=2026-Q1":       {"Q1 2026 so far", `<a href="?period=2025-Q4" rel="prev">← Q4 2025</a>`, `<option value="2026-Q1" selected>Q1 2026</option>`, "compared with as many days of Q4 2025"},
		"period=2019-05":       {`<option value="2019-05" selected>May 2019</option>`},
		"from=2026-03-02":      {`<input type="date" name="from" value="2026-03-02">`, `<details class="dates" open>`},
		"from=2026-03-02T10Z":  {"from"},
		"period=this-month&tz": {"March 2026 so far"},
	} {
		got := s.get("/?" + query)
		for _, text := range want {
			if !strings.Contains(got.body, text) {
				t.Errorf("%q: no %s", query, text)
			}
		}
		if strings.Contains(query, "this-month") && strings.Contains(got.body, `rel="next"`) {
			t.Errorf("%q: leads to the future", query)
		}
	}
	for query, want := range map[string]string{
		"period=soon":                    `period is "soon": send a month such as 2026-02`,
		"period=2026-04":                 "period is 2026-04, which is in the future",
		"period=2026-02&window=7d":       "period and window say the same thing",
		"period=2026-02&from=2026-02-01": "period and from say the same thing",
	} {
		for _, path := range []string{"/", "/dora"} {
			if got := s.get(path + "?" + query); got.status != 400 || !strings.Contains(got.String(), want) {
				t.Errorf("%s?%s: %s", path, query, got)
			}
		}
	}
}
