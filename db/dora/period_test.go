package dora

import (
	"testing"
	"time"
)

func TestPeriods(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 22, 30, 0, 0, time.UTC) // already April in Berlin
	for _, test := range []struct {
		text, name, from, to, before string
		location                     *time.Location
	}{
		{"2026-02", "February 2026", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-01", time.UTC},
		{"2026-01", "January 2026", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2025-12", time.UTC},
		{"this-month", "March 2026", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-02", time.UTC},
		{"this-month", "April 2026", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z", "2026-03", berlin},
		{"last-month", "March 2026", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "2026-02", berlin},
		{"last-month", "February 2026", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-01", time.UTC},
		{"this-quarter", "Q1 2026", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", "2025-Q4", time.UTC},
		{"last-quarter", "Q4 2025", "2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z", "2025-Q3", time.UTC},
		{"2025-Q2", "Q2 2025", "2025-03-31T22:00:00Z", "2025-06-30T22:00:00Z", "2025-Q1", berlin},
	} {
		p, err := ParsePeriod(test.text, now, test.location)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		from, to := p.From().Format(time.RFC3339), p.To().Format(time.RFC3339)
		if p.Title() != test.name || from != test.from || to != test.to || p.Before().String() != test.before {
			t.Errorf("%s: %s, %s to %s after %s", test.text, p.Title(), from, to, p.Before())
		}
		if again, err := ParsePeriod(p.String(), now, test.location); err != nil || again != p {
			t.Errorf("%s: %s is parsed as %v, %v", test.text, p, again, err)
		}
		if shown, ok := PeriodOf(p.From(), p.To(), now, test.location); !ok || shown != p {
			t.Errorf("%s: the window shows %v, %v", test.text, shown, ok)
		}
	}
	for _, text := range []string{"", "2026", "2026-13", "2026-Q0", "2026-Q5", "2026-Q12", "26-Q1", "2026-2", "month", "2026-02-01", "+026-Q1"} {
		if p, err := ParsePeriod(text, now, time.UTC); err == nil {
			t.Errorf("%q is parsed as %s", text, p)
		}
	}
}

func TestPeriodOfAWindow(t *testing.T) {
	day := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	now := day(2026, 5, 20)
	for _, test := range []struct {
		from, to time.Time
		shows    string // empty for neither
	}{
		{day(2026, 5, 1), now.Add(time.Millisecond), "2026-05"},
		{day(2026, 4, 1), now.Add(time.Millisecond), "2026-Q2"},
		{day(2026, 4, 1), day(2026, 5, 1), "2026-04"},
		{day(2026, 1, 1), day(2026, 4, 1), "2026-Q1"},
		{day(2026, 2, 1), day(2026, 5, 1), ""}, // three months that are no quarter
		{day(2026, 5, 1), now.Add(-time.Hour), ""},
		{day(2026, 5, 2), now.Add(time.Millisecond), ""},
		{now.AddDate(0, 0, -30), now, ""},
	} {
		p, ok := PeriodOf(test.from, test.to, now, time.UTC)
		if ok != (test.shows != "") || ok && p.String() != test.shows {
			t.Errorf("%s to %s shows %v, %v", test.from, test.to, p, ok)
		}
	}
}
