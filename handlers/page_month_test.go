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
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-03-01", "compared with as many days of February 2026", "Better: was 2 a week"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-03-01&to=2026-04-01", "compared with as many days of February 2026", "Better: was 2 a week"},
		{time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC), "from=2026-03-01", "compared with all of February 2026", "Worse: was 1.75 a week"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "window=3d", "", "Worse: was 1 a day"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-03-01&to=2026-03-03", "", "Unchanged"},
		// January had six deployments in 31 days.
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "from=2026-02-01&to=2026-03-01", "compared with January 2026", "Better: was 1.35 a week"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "period=last-month", "compared with January 2026", "Better: was 1.35 a week"},
		{time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), "period=this-month", "compared with as many days of February 2026", "Better: was 2 a week"},
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
