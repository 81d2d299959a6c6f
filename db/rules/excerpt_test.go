package rules_test

import (
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/db/rules"
)

func TestQuoteRepeatsAtMost60Bytes(t *testing.T) {
	xs := strings.Repeat("x", 57)
	for text, want := range map[string]string{
		"":                            `""`,
		"shop":                        `"shop"`,
		xs + "xxx":                    `"` + xs + `xxx"`,
		xs + "xxxx":                   `"` + xs + `xxx…"`,
		xs + "xxé":                    `"` + xs + `xx…"`,
		xs + "x\u20acyz":              `"` + xs + `x…"`,
		xs + "\u20acy":                `"` + xs + `€…"`,
		xs + "\U0001f680":             `"` + xs + `…"`,
		"\u202e\n\xff":                `"\u202e\n\xff"`,
		strings.Repeat("\x80", 1_000): `"` + strings.Repeat(`\x80`, 56) + `…"`,
	} {
		if got := rules.Quote(text); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}
