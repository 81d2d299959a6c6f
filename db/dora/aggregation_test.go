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
		groups := dora.NewAggregation(dora.Query{From: noon, To: noon.Add(time.Hour)})
		aggregator := dora.NewAggregator(nil, groups)
		for _, hours := range test.hours {
			if err := aggregator.AddDeployment(dora.Labels{}, dora.Deployment{
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
			series := dora.NewAggregation(dora.Query{
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

// TestASeriesIsBounded adds groups to a series of a year of days until it is
// refused.
func TestASeriesIsBounded(t *testing.T) {
	groups := dora.NewAggregation(dora.Query{
		From: noon.AddDate(0, 0, -365), To: noon, Interval: dora.Daily, GroupBy: dora.GroupBy{Project: true},
	})
	aggregator := dora.NewAggregator(time.UTC, groups)
	for i := range 1000 {
		err := aggregator.AddUnfinished(dora.Labels{Project: fmt.Sprint(i)}, noon.Add(-1).UnixMilli())
		if err == nil {
			continue
		}
		var large *dora.TooLargeError
		if !errors.As(err, &large) || large.Groups != i+1 || large.Groups*large.Intervals <= 100_000 || i*large.Intervals > 100_000 {
			t.Errorf("group %d: %v", i, err)
		}
		return
	}
	t.Error("a thousand groups of a year of days are not too many")
}
