package dora_test

import (
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

func TestWindowsAreFormattedAsTheyAreParsed(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1h": time.Hour, "25h": 25 * time.Hour, "7d": 7 * day, "30d": 30 * day, "36500d": 36500 * day,
	} {
		got, err := dora.ParseWindow(text)
		if err != nil || got != want || dora.FormatWindow(got) != text {
			t.Errorf("%s is %v (%v), formatted %s", text, got, err, dora.FormatWindow(got))
		}
	}
	if got, err := dora.ParseWindow("2w"); err != nil || dora.FormatWindow(got) != "14d" {
		t.Errorf("2w is %v (%v)", got, err)
	}
	for _, text := range []string{"", "d", "30", "0d", "-1d", "1.5d", "30 d", "30D", "1m", "36501d", "9999999d", "12345678h", "1d2h"} {
		if got, err := dora.ParseWindow(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}
