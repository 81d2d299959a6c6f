package exporter_test

import (
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
)

func TestNewSeriesStartsAtZero(t *testing.T) {
	r := newRig(t, exporter.Options{SeriesHold: time.Minute})
	one := map[string]float64{
		"deployment_started_total" + shop: 1, "deployment_frequency_total" + shop: 1,
		"lead_time_for_changes_seconds_count" + shop: 1, "lead_time_for_changes_seconds_sum" + shop: 3600,
		"deployment_duration_seconds_count" + shop: 1,
	}
	zero := map[string]float64{"lead_time_for_changes_seconds_buckets" + shop: 0}
	for series := range one {
		zero[series] = 0
	}
	r.deploy("shop", "1")
	r.expect("at once, to a person", false, one)
	r.expect("at once, to a scraper", true, zero)
	r.advance(59 * time.Second)
	r.expect("before the hold ends", true, zero)
	r.restart()
	r.expect("after a restart", true, zero)
	r.advance(time.Second)
	r.expect("when the hold ends", true, one)

	// Each series of a project is held according to its own age.
	r.open("shop", "i", "1")
	r.expect("the first incident, to a scraper", true, map[string]float64{
		"incident_count_total" + shop: 0, "time_to_detect_seconds_count" + shop: 0,
		"change_failure_count_total" + shop: 0, "deployment_frequency_total" + shop: 1,
	})
	r.advance(time.Minute)
	r.expect("the first incident, later", true, map[string]float64{
		"incident_count_total" + shop: 1, "time_to_detect_seconds_count" + shop: 1, "change_failure_count_total" + shop: 1,
	})
	r.restart()
	r.expect("later, after a restart", true, one)
}

// If a total fell, Prometheus would take it for a counter reset and count the
// whole total again.
func TestClockSetBackHidesNothing(t *testing.T) {
	r := newRig(t, exporter.Options{SeriesHold: time.Minute})
	one := map[string]float64{"deployment_frequency_total" + shop: 1}
	r.deploy("shop", "1")
	r.advance(time.Minute)
	r.expect("when the hold ends", true, one)
	r.advance(-30 * time.Second)
	r.expect("after the clock was set back", true, one)
	r.advance(-24 * time.Hour)
	r.restart()
	r.expect("after a restart with the clock a day behind", true, one)
}

func TestHoldOfZeroHoldsNothing(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.deploy("shop", "1")
	r.expect("to a scraper", true, map[string]float64{"deployment_frequency_total" + shop: 1})
}

// Imported history did not happen now, so increase() must not count it now.
func TestImportedHistoryIsNotHeld(t *testing.T) {
	r := newRig(t, exporter.Options{SeriesHold: time.Minute})
	r.do(db.StartDeployment{
		Key:           db.Key{Project: "shop", Environment: "production", ID: "1"},
		FirstCommitAt: r.ago(72 * time.Hour), DeployStartAt: r.ago(25 * time.Hour),
	}, db.FinishDeployment{Ref: db.Ref{ID: "1"}, DeployedAt: r.ago(24 * time.Hour)})
	r.open("shop", "i", "1")
	r.expect("at once, to a scraper", true, map[string]float64{
		"deployment_started_total" + shop: 1, "deployment_frequency_total" + shop: 1,
		"incident_count_total" + shop: 0, // happened now
	})
}
