package dora_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

const (
	day   = 24 * time.Hour
	month = 365 * day / 12
)

// TestLevelsAtTheirBounds tries every bound of both reports from both sides.
func TestLevelsAtTheirBounds(t *testing.T) {
	const (
		frequency = dora.DeploymentFrequency
		lead      = dora.ChangeLeadTime
		failures  = dora.ChangeFailureRate
		recovery  = dora.FailedDeploymentRecoveryTime
		restore   = dora.TimeToRestore
	)
	deployed := func(n int64, in time.Duration) dora.Value { return dora.Value{Count: n, Length: in} }
	median := func(d time.Duration) dora.Value {
		return dora.Value{Distribution: dora.Distribution{Samples: 1, P50: d}}
	}
	failed := func(n int64) dora.Value { return dora.Value{Count: n, Whole: 1000} }
	for _, test := range []struct {
		figure       dora.Name
		value        dora.Value
		in2021, in23 dora.Level
	}{
		{frequency, deployed(2, day), dora.Elite, dora.Elite},
		{frequency, deployed(2, day+1), dora.High, dora.High}, // a gap in both reports
		{frequency, deployed(1, day), dora.High, dora.High},
		{frequency, deployed(1, 7*day), dora.High, dora.High},
		{frequency, deployed(1, 7*day+time.Second), dora.High, dora.Medium},
		{frequency, deployed(12, 365*day), dora.High, dora.Medium},
		{frequency, deployed(12, 365*day+time.Second), dora.Medium, dora.Low},
		{frequency, deployed(2, 365*day), dora.Medium, dora.Low},
		{frequency, deployed(2, 365*day+time.Second), dora.Low, dora.Low},
		{frequency, deployed(0, day), "", ""},

		{lead, median(time.Hour - 1), dora.Elite, dora.Elite},
		{lead, median(time.Hour), dora.High, dora.Elite},
		{lead, median(day - 1), dora.High, dora.Elite},
		{lead, median(day), dora.High, dora.High},
		{lead, median(7 * day), dora.High, dora.High},
		{lead, median(7*day + 1), dora.Medium, dora.Medium},
		{lead, median(month), dora.Medium, dora.Medium},
		{lead, median(month + 1), dora.Medium, dora.Low},
		{lead, median(6 * month), dora.Medium, dora.Low},
		{lead, median(6*month + 1), dora.Low, dora.Low},
		{lead, dora.Value{}, "", ""},

		{failures, failed(0), dora.Elite, dora.Elite},
		{failures, failed(50), dora.Elite, dora.Elite},
		{failures, failed(51), dora.Elite, dora.High},
		{failures, failed(100), dora.Elite, dora.High},
		{failures, failed(150), dora.Elite, dora.Medium},
		{failures, failed(160), dora.High, dora.Low},
		{failures, failed(300), dora.High, dora.Low},
		{failures, failed(310), dora.Low, dora.Low},
		{failures, dora.Value{}, "", ""},

		{recovery, median(time.Hour - 1), "", dora.Elite},
		{recovery, median(time.Hour), "", dora.High},
		{recovery, median(day - 1), "", dora.High},
		{recovery, median(day), "", dora.Medium},
		{recovery, median(7 * day), "", dora.Medium},
		{recovery, median(7*day + 1), "", dora.Low},
		{recovery, dora.Value{}, "", ""},
		{restore, median(time.Hour - 1), dora.Elite, ""},
		{restore, median(time.Hour), dora.High, ""},
		{restore, median(day - 1), dora.High, ""},
		{restore, median(day), dora.Medium, ""},
		{restore, median(7*day + 1), dora.Low, ""},

		{dora.DeploymentReworkRate, failed(10), "", ""},
		{"time_to_detect", median(time.Hour), "", ""},
	} {
		for year, want := range map[string]dora.Level{"2021": test.in2021, "2023": test.in23} {
			bands, ok := dora.BandsOf(year)
			if got := bands.Level(test.figure, test.value); !ok || got != want || bands.Name != year || fmt.Sprint(bands.Year) != year {
				t.Errorf("%s: %s of %+v is %q, want %q", year, test.figure, test.value, got, want)
			}
		}
	}
	for _, year := range []string{"2022", "2024", ""} {
		if _, ok := dora.BandsOf(year); ok {
			t.Errorf("there are bands of %q", year)
		}
	}
	for _, name := range dora.BandsNames() {
		if bands, ok := dora.BandsOf(name); !ok || bands.Name != name || bands.Report == "" || bands.Source == "" {
			t.Errorf("bands of %q: %+v", name, bands)
		}
	}
}

// TestAnswersHaveNoGaps tries every bound of the answers from both sides.
func TestAnswersHaveNoGaps(t *testing.T) {
	bands, _ := dora.BandsOf("answers")
	for _, test := range []struct {
		count  int64
		in     time.Duration
		answer dora.Level
	}{
		{0, day, ""},
		{2, day, "on demand (multiple deploys per day)"},
		{2, day + 1, "between once per hour and once per day"},
		{1, day, "between once per hour and once per day"},
		{1, day + 1, "between once per day and once per week"},
		{1, 7 * day, "between once per day and once per week"},
		{1, 7*day + time.Second, "between once per week and once per month"},
		{12, 365 * day, "between once per week and once per month"},
		{12, 365*day + time.Second, "between once per month and once every six months"},
		{2, 365 * day, "between once per month and once every six months"},
		{2, 365*day + time.Second, "fewer than once per six months"},
	} {
		if got := bands.Level(dora.DeploymentFrequency, dora.Value{Count: test.count, Length: test.in}); got != test.answer {
			t.Errorf("%d in %s: %q, want %q", test.count, test.in, got, test.answer)
		}
	}
	for _, test := range []struct {
		median time.Duration
		answer dora.Level
	}{
		{0, "less than one hour"},
		{time.Hour - 1, "less than one hour"},
		{time.Hour, "less than one day"},
		{day - 1, "less than one day"},
		{day, "one day to one week"},
		{7 * day, "one day to one week"},
		{7*day + 1, "one week to one month"},
		{month, "one week to one month"},
		{month + 1, "one to six months"},
		{6 * month, "one to six months"},
		{6*month + 1, "more than six months"},
	} {
		value := dora.Value{Distribution: dora.Distribution{Samples: 1, P50: test.median}}
		for figure, want := range map[dora.Name]dora.Level{
			dora.ChangeLeadTime: test.answer, dora.FailedDeploymentRecoveryTime: test.answer, dora.TimeToRestore: "",
		} {
			if got := bands.Level(figure, value); got != want {
				t.Errorf("%s of %s: %q, want %q", figure, test.median, got, want)
			}
		}
	}
	for _, ratio := range []dora.Name{dora.ChangeFailureRate, dora.DeploymentReworkRate} {
		if got := bands.Level(ratio, dora.Value{Count: 1, Whole: 100}); got != "" {
			t.Errorf("%s has the answer %q", ratio, got)
		}
	}
}

func TestKeysAreThoseOfTheReport(t *testing.T) {
	for year, recovery := range map[string]dora.Name{
		"2021": dora.TimeToRestore, "2023": dora.FailedDeploymentRecoveryTime, "answers": dora.FailedDeploymentRecoveryTime,
	} {
		bands, _ := dora.BandsOf(year)
		want := []dora.Name{
			dora.DeploymentFrequency, dora.ChangeLeadTime, dora.ChangeFailureRate, recovery, dora.DeploymentReworkRate,
		}
		keys := bands.Keys()
		for i, name := range want {
			if len(keys) != len(want) || keys[i].Name != name || keys[i].HasBands != (name != dora.DeploymentReworkRate) {
				t.Errorf("%s: key %d is not %s: %+v", year, i, name, keys)
			}
		}
	}
}
