package dora_test

import (
	"errors"
	"fmt"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/em-metrics/em-metrics/db/dora"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// TestPercentilesInterpolate has the values that PostgreSQL's percentile_cont
// gives.
func TestPercentilesInterpolate(t *testing.T) {
	for _, test := range []struct {
		hours    []int
		p50, p90 time.Duration
	}{
		{[]int{5}, 5 * time.Hour, 5 * time.Hour},
		{[]int{1, 2}, 90 * time.Minute, 114 * time.Minute},
		{[]int{4, 1, 3, 2}, 150 * time.Minute, 222 * time.Minute},
		{[]int{10, 20, 30, 40, 50}, 30 * time.Hour, 46 * time.Hour},
	} {
		groups := aggregate(t, dora.Query{From: noon, To: noon.Add(time.Hour)})
		for _, hours := range test.hours {
			if err := groups.AddDeployment(dora.Labels{}, dora.Deployment{
				FirstCommitAt: noon.Add(-time.Duration(hours) * time.Hour).UnixMilli(), DeployedAt: noon.UnixMilli(),
				DeployStartAt: dora.Unknown,
			}); err != nil {
				t.Fatal(err)
			}
		}
		got := groups.Groups()[0]
		if lead := got.LeadTime; lead.P50 != test.p50 || lead.P90 != test.p90 || lead.Samples != int64(len(test.hours)) {
			t.Errorf("%v hours: p50 %s, p90 %s, want %s, %s", test.hours, lead.P50, lead.P90, test.p50, test.p90)
		}
		if got.DeploymentDuration != (dora.Distribution{}) {
			t.Errorf("%v hours: unknown starts give durations: %+v", test.hours, got.DeploymentDuration)
		}
	}
}

// TestDaysBeginWhereTheyBegin splits a year into days, weeks and months in
// places whose clocks change at midnight: every bucket begins a new date.
func TestDaysBeginWhereTheyBegin(t *testing.T) {
	for _, name := range []string{"UTC", "America/Havana", "Asia/Beirut", "America/Sao_Paulo", "Europe/London", "Asia/Tehran"} {
		location, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2017, 1, 1, 0, 0, 0, 0, location)
		for interval, buckets := range map[dora.Interval]int{dora.Daily: 730, dora.Weekly: 106, dora.Monthly: 24} {
			series := aggregate(t, dora.Query{
				From: from, To: from.AddDate(2, 0, 0), Interval: interval, Location: location,
			}).Groups()[0].Series
			if interval != dora.Weekly && len(series) != buckets || interval == dora.Weekly && len(series) < buckets-1 {
				t.Errorf("%s: %d buckets, want %d", name, len(series), buckets)
			}
			dates := map[string]bool{}
			for i, bucket := range series {
				begins := bucket.From.In(location)
				dates[begins.Format(time.DateOnly)] = true
				if before := begins.Add(-time.Nanosecond); before.Day() == begins.Day() {
					t.Errorf("%s: a bucket begins within a day, at %s", name, begins)
				}
				if i > 0 && !bucket.From.Equal(series[i-1].To) {
					t.Errorf("%s: a gap at %s", name, begins)
				}
			}
			if len(dates) != len(series) {
				t.Errorf("%s: %d dates for %d buckets", name, len(dates), len(series))
			}
		}
	}
}

// TestAQueryIsBounded counts the groups that there may be, by the intervals of
// each.
func TestAQueryIsBounded(t *testing.T) {
	for _, test := range []struct {
		interval           dora.Interval
		from               time.Time
		intervals, allowed int
	}{
		{dora.NoInterval, noon.AddDate(-50, 0, 0), 1, 10_000},
		{dora.Daily, noon.Add(-1), 1, 10_000},
		{dora.Daily, noon.AddDate(0, 0, -365), 366, 136},
		{dora.Monthly, noon.AddDate(-1, 0, 0), 13, 3846},
		{dora.Daily, noon.AddDate(0, 0, -3999), 4000, 12},
		{dora.Daily, noon.AddDate(0, 0, -4000), 4001, 0},
		{dora.Weekly, noon.AddDate(-56, 0, 0), 2923, 17},
		{dora.Weekly, noon.AddDate(-2000, 0, 0), 104355, 0},
		{dora.Monthly, noon.AddDate(-2000, 0, 0), 24001, 0},
		{dora.Daily, noon.AddDate(-2000, 0, 0), 730486, 0},
	} {
		groups, err := dora.NewAggregation(dora.Query{
			From: test.from, To: noon, Interval: test.interval, GroupBy: dora.GroupBy{Project: true},
		})
		for i := 0; err == nil && i <= test.allowed; i++ {
			if err = groups.AddUnfinished(dora.Labels{Project: fmt.Sprint(i)}, noon.Add(-1).UnixMilli()); err != nil && i != test.allowed {
				t.Errorf("%+v: group %d: %v", test, i, err)
			}
		}
		var large *dora.TooLargeError
		if !errors.As(err, &large) || large.Intervals != test.intervals || large.MaxGroups != test.allowed {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestARefusalCostsNothing asks for 8,000 years by day.
func TestARefusalCostsNothing(t *testing.T) {
	query := dora.Query{From: time.Unix(0, 0), To: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Interval: dora.Daily}
	if allocations := testing.AllocsPerRun(10, func() {
		if _, err := dora.NewAggregation(query); err == nil {
			t.Error("not refused")
		}
	}); allocations > 10 {
		t.Errorf("%v allocations", allocations)
	}
}

func aggregate(t *testing.T, q dora.Query) *dora.Aggregation {
	t.Helper()
	a, err := dora.NewAggregation(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
