package legacy

import (
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	const moment = "2024-01-31T08:30:00Z"
	for text, remark := range map[string]string{
		"2024-01-31T08:30:00Z":                    "",
		"2024-01-31T09:30:00.000+01:00":           "",
		"2024-01-31T09:30:00+0100":                "",
		"2024-01-31 09:30:00 +0100":               "",
		"Wed Jan 31 09:30:00 2024 +0100":          "",
		"Wed, 31 Jan 2024 08:30:00 GMT":           "",
		"Wed, 31 Jan 2024 09:30:00 +0100":         "",
		"Wed Jan 31 2024 09:30:00 GMT+0100 (CET)": "",
		"1706689800":                              inSeconds,
		"1706689800000":                           inMilliseconds,
		"1706689800000.0":                         inMilliseconds,
		"1.7066898e12":                            inMilliseconds,
		"2024-01-31 08:30:00":                     withoutTimeZone,
		"2024-01-31T08:30":                        withoutTimeZone,
		" 2024-01-31T08:30:00.000Z ":              "",
	} {
		at, got, err := parseDate(text)
		if err != nil || got != remark || at.Format(time.RFC3339Nano) != moment {
			t.Errorf("%q is read as %s with the remark %q (%v), want %s and %q", text, at, got, err, moment, remark)
		}
	}
	for _, text := range []string{"soon", "2024", "-1", "NaN", "Inf", "1e300", "0001-01-01T00:00:00Z", "1969-12-31T00:00:00Z", "31.01.2024"} {
		if at, _, err := parseDate(text); err == nil {
			t.Errorf("%q is read as %s", text, at)
		}
	}
}
