package dora_test

import (
	"testing"

	"github.com/em-metrics/em-metrics/db/dora"
)

func TestEnvironmentsMatch(t *testing.T) {
	for _, test := range []struct {
		patterns dora.Environments
		name     string
		want     bool
	}{
		{nil, "production", false},
		{dora.Environments{"production"}, "production", true},
		{dora.Environments{"production"}, "production-eu", false},
		{dora.Environments{"production"}, "Production", false},
		{dora.Environments{"live", "prod-*"}, "prod-eu", true},
		{dora.Environments{"live", "prod-*"}, "live", true},
		{dora.Environments{"prod-*"}, "prod-", true},
		{dora.Environments{"prod-*"}, "prod", false},
		{dora.Environments{"*-prod"}, "eu-prod", true},
		{dora.Environments{"*-prod"}, "eu-prod-2", false},
		{dora.Environments{"*"}, "anything/at all", true},
		{dora.Environments{"p*d*n"}, "production", true},
		{dora.Environments{"p*d*d"}, "pod", false}, // one d does not count twice
		{dora.Environments{"p*d*d"}, "padded", true},
		{dora.Environments{"pro?"}, "prod", false},
		{dora.Environments{"[p]rod*"}, "prod", false},
		{dora.Environments{"[p]?*"}, "[p]?rod", true},
	} {
		if got := test.patterns.Match(test.name); got != test.want {
			t.Errorf("%q match %q: %v", test.patterns, test.name, got)
		}
	}
}
