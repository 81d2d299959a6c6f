package db_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

const oneDay = 24 * time.Hour

func lasting(d time.Duration) db.Distribution {
	return db.Distribution{Samples: 1, P50: db.NullDuration{V: d, Valid: true}}
}

// TestLevelsAtTheirBounds tries every bound of both reports from both sides.
func TestLevelsAtTheirBounds(t *testing.T) {
	frequency := func(perDay float64) db.Dora { return db.Dora{Deployments: 1, PerDay: perDay} }
	lead := func(d time.Duration) db.Dora { return db.Dora{LeadTime: lasting(d)} }
	failures := func(ratio float64) db.Dora {
		return db.Dora{ChangeFailureRatio: sql.Null[float64]{V: ratio, Valid: true}}
	}
	recovery := func(d time.Duration) db.Dora {
		return db.Dora{FailedDeploymentRecovery: lasting(d), TimeToRestore: lasting(d)}
	}
	const month = 365 * oneDay / 12
	for _, test := range []struct {
		figures      db.Dora
		of           func(db.Levels) db.Level
		in2021, in23 db.Level
	}{
		{frequency(1.01), frequencyLevel, db.Elite, db.Elite},
		{frequency(1), frequencyLevel, db.High, db.High},
		{frequency(1.0 / 7), frequencyLevel, db.High, db.High},
		{frequency(1.0/7 - 1e-9), frequencyLevel, db.High, db.Medium},
		{frequency(12.0 / 365), frequencyLevel, db.High, db.Medium},
		{frequency(12.0/365 - 1e-9), frequencyLevel, db.Medium, db.Low},
		{frequency(2.0 / 365), frequencyLevel, db.Medium, db.Low},
		{frequency(2.0/365 - 1e-9), frequencyLevel, db.Low, db.Low},
		{db.Dora{}, frequencyLevel, "", ""},

		{lead(time.Hour - 1), leadLevel, db.Elite, db.Elite},
		{lead(time.Hour), leadLevel, db.High, db.Elite},
		{lead(oneDay - 1), leadLevel, db.High, db.Elite},
		{lead(oneDay), leadLevel, db.High, db.High},
		{lead(7 * oneDay), leadLevel, db.High, db.High},
		{lead(7*oneDay + 1), leadLevel, db.Medium, db.Medium},
		{lead(month), leadLevel, db.Medium, db.Medium},
		{lead(month + 1), leadLevel, db.Medium, db.Low},
		{lead(6 * month), leadLevel, db.Medium, db.Low},
		{lead(6*month + 1), leadLevel, db.Low, db.Low},
		{db.Dora{}, leadLevel, "", ""},

		{failures(0), failureLevel, db.Elite, db.Elite},
		{failures(0.05), failureLevel, db.Elite, db.Elite},
		{failures(0.051), failureLevel, db.Elite, db.High},
		{failures(0.1), failureLevel, db.Elite, db.High},
		{failures(0.15), failureLevel, db.Elite, db.Medium},
		{failures(0.16), failureLevel, db.High, db.Low},
		{failures(0.3), failureLevel, db.High, db.Low},
		{failures(0.31), failureLevel, db.Low, db.Low},
		{db.Dora{}, failureLevel, "", ""},

		{recovery(time.Hour - 1), recoveryLevel, "", db.Elite},
		{recovery(time.Hour), recoveryLevel, "", db.High},
		{recovery(oneDay), recoveryLevel, "", db.High},
		{recovery(oneDay + 1), recoveryLevel, "", db.Medium},
		{recovery(7 * oneDay), recoveryLevel, "", db.Medium},
		{recovery(7*oneDay + 1), recoveryLevel, "", db.Low},
		{recovery(time.Hour - 1), restoreLevel, db.Elite, ""},
		{recovery(time.Hour), restoreLevel, db.High, ""},
		{recovery(oneDay + 1), restoreLevel, db.Medium, ""},
		{recovery(7*oneDay + 1), restoreLevel, db.Low, ""},
	} {
		for year, want := range map[int]db.Level{2021: test.in2021, 2023: test.in23} {
			bands, ok := db.BandsOf(year)
			if got := test.of(bands.Levels(test.figures)); !ok || got != want || bands.Year != year {
				t.Errorf("%d: %+v is %q, want %q", year, test.figures, got, want)
			}
		}
	}
	if _, ok := db.BandsOf(2022); ok {
		t.Error("there are bands of 2022")
	}
}

func frequencyLevel(l db.Levels) db.Level { return l.DeploymentFrequency }
func leadLevel(l db.Levels) db.Level      { return l.LeadTime }
func failureLevel(l db.Levels) db.Level   { return l.ChangeFailureRatio }
func recoveryLevel(l db.Levels) db.Level  { return l.FailedDeploymentRecovery }
func restoreLevel(l db.Levels) db.Level   { return l.TimeToRestore }

func TestWindowsAreWrittenAsTheyAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1h": time.Hour, "25h": 25 * time.Hour, "7d": 7 * oneDay, "30d": 30 * oneDay, "36500d": 36500 * oneDay,
	} {
		got, err := db.ParseWindow(text)
		if err != nil || got != want || db.FormatWindow(got) != text {
			t.Errorf("%s is %v (%v), written %s", text, got, err, db.FormatWindow(got))
		}
	}
	if got, err := db.ParseWindow("2w"); err != nil || db.FormatWindow(got) != "14d" {
		t.Errorf("2w is %v (%v)", got, err)
	}
	for _, text := range []string{"", "d", "30", "0d", "-1d", "1.5d", "30 d", "30D", "1m", "36501d", "9999999d", "12345678h", "1d2h"} {
		if got, err := db.ParseWindow(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}
