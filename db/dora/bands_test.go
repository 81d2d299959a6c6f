package dora_test

import (
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
		{frequency, deployed(1, day-1), dora.Elite, dora.Elite},
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
		{recovery, median(day), "", dora.High},
		{recovery, median(day + 1), "", dora.Medium},
		{recovery, median(7 * day), "", dora.Medium},
		{recovery, median(7*day + 1), "", dora.Low},
		{recovery, dora.Value{}, "", ""},
		{restore, median(time.Hour - 1), dora.Elite, ""},
		{restore, median(time.Hour), dora.High, ""},
		{restore, median(day + 1), dora.Medium, ""},
		{restore, median(7*day + 1), dora.Low, ""},

		{dora.DeploymentReworkRate, failed(10), "", ""},
		{"time_to_detect", median(time.Hour), "", ""},
	} {
		for year, want := range map[int]dora.Level{2021: test.in2021, 2023: test.in23} {
			bands, ok := dora.BandsOf(year)
			if got := bands.Level(test.figure, test.value); !ok || got != want || bands.Year != year {
				t.Errorf("%d: %s of %+v is %q, want %q", year, test.figure, test.value, got, want)
			}
		}
	}
	if _, ok := dora.BandsOf(2022); ok {
		t.Error("there are bands of 2022")
	}
}

func TestKeysAreThoseOfTheReport(t *testing.T) {
	for year, recovery := range map[int]dora.Name{2021: dora.TimeToRestore, 2023: dora.FailedDeploymentRecoveryTime} {
		bands, _ := dora.BandsOf(year)
		want := []dora.Name{
			dora.DeploymentFrequency, dora.ChangeLeadTime, dora.ChangeFailureRate, recovery, dora.DeploymentReworkRate,
		}
		keys := bands.Keys()
		for i, name := range want {
			if len(keys) != len(want) || keys[i].Name != name || keys[i].HasBands != (name != dora.DeploymentReworkRate) {
				t.Errorf("%d: key %d is not %s: %+v", year, i, name, keys)
			}
		}
	}
}
