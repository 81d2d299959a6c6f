package exporter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/exporter"
)

// TestEnvironmentsSayWhetherTheyAreProduction changes what counts as production
// under a running exporter, as a reload of the CONFIG file does.
func TestEnvironmentsSayWhetherTheyAreProduction(t *testing.T) {
	var production dora.Environments
	r := newRig(t, exporter.Options{Production: func() dora.Environments { return production }})
	for _, environment := range []string{"prod-eu", "staging"} {
		if _, err := r.store.Do(t.Context(), db.StartDeployment{
			Key: db.Key{Project: "shop", Environment: environment, ID: "1"}, FirstCommitAt: noon.Add(-time.Hour),
		}); err != nil {
			t.Fatal(err)
		}
	}
	r.exporter.Declare(t.Context(), "api", "prod-us", "")
	for _, test := range []struct {
		production dora.Environments
		want       []string
	}{
		{nil, nil},
		{dora.Environments{"prod-*"}, []string{
			`em_metrics_environment_info{environment="prod-eu",production="true"} 1`,
			`em_metrics_environment_info{environment="prod-us",production="true"} 1`,
			`em_metrics_environment_info{environment="staging",production="false"} 1`,
		}},
		{dora.Environments{"prod-eu", "live"}, []string{
			`em_metrics_environment_info{environment="prod-eu",production="true"} 1`,
			`em_metrics_environment_info{environment="prod-us",production="false"} 1`,
			`em_metrics_environment_info{environment="staging",production="false"} 1`,
		}},
		{dora.Environments{}, nil},
	} {
		production = test.production
		var got []string
		for line := range strings.Lines(scraped(r)) {
			if strings.HasPrefix(line, "em_metrics_environment_info{") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%q:\n got %q\nwant %q", test.production, got, test.want)
		}
	}
}

// scraped returns the text of a scrape.
func scraped(r *rig) string {
	_, body := r.get(true)
	return body
}
