package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPageComparesAMonthSoFarWithAsManyDays has a deployment on each of the last
// six days of January and February, and on the first two of March.
func TestPageComparesAMonthSoFarWithAsManyDays(t *testing.T) {
	s := start(t)
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 10, 0, 0, 0, time.UTC) }
	var days []time.Time
	for i := range 6 {
		days = append(days, day(1, 31-i), day(2, 28-i))
	}
	for i, at := range append(days, day(2, 1), day(3, 1), day(3, 2)) {
		s.must("POST /deployments", fmt.Sprintf(`{"id":"%d","project_id":"shop","first_commit_at":%q,"deploy_start_at":%[2]q}`, i, at.Format(time.RFC3339)))
		s.must(fmt.Sprintf("POST /deployments/%d/deployed", i), fmt.Sprintf(`{"deployed_at":%q}`, at.Format(time.RFC3339)))
	}
	for _, test := range []struct {
		now              time.Time
		query            string
		compared, change string
	}{
		// The 3.5 days before had four deployments, those of February one.
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-03-01", "compared with as many days of February 2026", "Was 1 in 3.5 days: within chance"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-03-01&to=2026-04-01", "compared with as many days of February 2026", "Was 1 in 3.5 days: within chance"},
		{time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC), "from=2026-03-01", "compared with all of February 2026", "Was 1.75 a week: within chance"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "window=3d", "", "Was 1 a day: within chance"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-03-01&to=2026-03-03", "", "Unchanged"},
		// January had six deployments in 31 days.
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-02-01&to=2026-03-01", "compared with January 2026", "Was 1.35 a week: within chance"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "period=last-month", "compared with January 2026", "Was 1.35 a week: within chance"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "period=this-month", "compared with as many days of February 2026", "Was 1 in 3.5 days: within chance"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "period=2026-Q1", "compared with as many days of Q4 2025", "Better: was none"},
	} {
		s.now.Set(test.now)
		page := s.get("/?" + test.query).body
		_, card, _ := strings.Cut(page, "Deployment frequency</h3>")
		card, _, _ = strings.Cut(card, "</article>")
		if !strings.Contains(card, test.change) || strings.Contains(page, "compared with") != (test.compared != "") || !strings.Contains(page, test.compared) {
			t.Errorf("%s: no %q or %q in %s", test.query, test.change, test.compared, card)
		}
	}
}

// TestPageDrawsIntervalsThatAreCutOffAsIncomplete has a deployment on each day.
func TestPageDrawsIntervalsThatAreCutOffAsIncomplete(t *testing.T) {
	s := start(t) // noon of 4 March 2026, a Wednesday
	for i := range 60 {
		at := time.Date(2026, 1, 4+i, 10, 0, 0, 0, time.UTC).Format(time.RFC3339)
		s.must("POST /deployments", fmt.Sprintf(`{"id":"%d","project_id":"shop","first_commit_at":%q,"deploy_start_at":%[2]q}`, i, at))
		s.must(fmt.Sprintf("POST /deployments/%d/deployed", i), fmt.Sprintf(`{"deployed_at":%q}`, at))
	}
	for query, test := range map[string]struct {
		bars, incomplete int
		says             string
	}{
		"window=7d":                     {8, 2, "over 8 intervals, of which the first and the last are incomplete;"},
		"from=2026-02-23&to=2026-03-02": {7, 0, "over 7 intervals;"},
		"from=2026-02-25":               {8, 1, "over 8 intervals, of which the last is incomplete;"},
		"from=2026-02-02&to=2026-03-02": {4, 0, "over 4 intervals;"},
		"from=2026-02-04&to=2026-03-02": {4, 1, "over 4 intervals, of which the first is incomplete;"},
		"window=30d":                    {5, 2, "of which the first and the last are incomplete;"},
	} {
		body := s.get("/?" + query).body
		_, card, _ := strings.Cut(body, "Deployment frequency</h3>")
		card, _, _ = strings.Cut(card, "</article>")
		bars, incomplete := strings.Count(card, "<rect"), strings.Count(card, `class="bar incomplete"`)
		rows := strings.Count(body, `<span class="quiet">incomplete</span>`)
		if bars != test.bars || incomplete != test.incomplete || rows != incomplete || !strings.Contains(card, test.says) {
			t.Errorf("%s: %d of %d bars and %d rows are incomplete: %s", query, incomplete, bars, rows, card)
		}
		if strings.Contains(body, "Pale bars") != (test.incomplete > 0) {
			t.Errorf("%s: what pale bars are is said where there are none, or not where there are", query)
		}
	}
}
