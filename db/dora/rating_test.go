package dora_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// groupOf returns the one group of a window in which every application has a
// deployment each day.
func groupOf(t *testing.T, q dora.Query, applications ...dora.Labels) dora.Group {
	t.Helper()
	a, err := dora.NewAggregation(q)
	if err != nil {
		t.Fatal(err)
	}
	for at := q.From; at.Before(q.To); at = at.Add(day) {
		for _, l := range applications {
			d := dora.Deployment{FirstCommitAt: at.UnixMilli(), DeployStartAt: dora.Unknown, DeployedAt: at.UnixMilli()}
			if err := a.AddDeployment(l, d); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a.Groups()[0]
}

func TestOneApplicationHasALevel(t *testing.T) {
	frequency, _ := dora.Find(dora.DeploymentFrequency)
	bands, _ := dora.BandsOf("2023")
	shop, api, staging := dora.Labels{Project: "shop", Environment: "production"},
		dora.Labels{Project: "api", Environment: "production"}, dora.Labels{Project: "shop", Environment: "staging"}
	for _, test := range []struct {
		name         string
		filter       dora.Filter
		length       time.Duration
		applications []dora.Labels
		level        dora.Level
		high         int64 // how many applications
		mixed        bool
	}{
		{"one", dora.Filter{}, 7 * day, []dora.Labels{shop}, dora.High, 0, false},
		{"one in less than a week", dora.Filter{}, 6 * day, []dora.Labels{shop}, "", 0, false},
		{"several in less than a week", dora.Filter{}, 6 * day, []dora.Labels{shop, api}, "", 0, false},
		{"two projects", dora.Filter{}, 7 * day, []dora.Labels{shop, api}, "", 2, false},
		{"two environments", dora.Filter{}, 7 * day, []dora.Labels{shop, staging}, "", 2, true},
		{"two environments of a project", dora.Filter{Project: "shop"}, 7 * day, []dora.Labels{shop, staging}, "", 2, true},
		{"both are given", dora.Filter{Project: "shop", Environment: "production"}, 7 * day, []dora.Labels{shop}, dora.High, 0, false},
		{"nothing", dora.Filter{}, 7 * day, nil, "", 0, false},
	} {
		g := groupOf(t, dora.Query{From: noon.Add(-test.length), To: noon, Filter: test.filter}, test.applications...)
		rating := bands.Rate(frequency, g)
		var high int64
		for _, l := range rating.Levels {
			if l.Level == dora.High {
				high = l.Applications
			} else if l.Applications != 0 {
				t.Errorf("%s: %+v", test.name, l)
			}
		}
		if rating.Level != test.level || high != test.high || g.MixedEnvironments != test.mixed {
			t.Errorf("%s: %+v, mixed %v", test.name, rating, g.MixedEnvironments)
		}
	}
}

// TestAWeekOfTheCalendarHasALevel has the week in which clocks go forward, and is
// an hour shorter.
func TestAWeekOfTheCalendarHasALevel(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	frequency, _ := dora.Find(dora.DeploymentFrequency)
	bands, _ := dora.BandsOf("2023")
	g := groupOf(t, dora.Query{
		From: time.Date(2026, 3, 23, 0, 0, 0, 0, berlin), To: time.Date(2026, 4, 2, 0, 0, 0, 0, berlin),
		Interval: dora.Weekly, Location: berlin,
	}, dora.Labels{Project: "shop"})
	if level := bands.RateTotals(frequency, g, g.Series[0].Totals); level != dora.High {
		t.Errorf("the whole week is %q", level)
	}
	if level := bands.RateTotals(frequency, g, g.Series[1].Totals); level != "" {
		t.Errorf("three days are %q", level)
	}
}

func TestTooManyApplicationsAreNotCounted(t *testing.T) {
	frequency, _ := dora.Find(dora.DeploymentFrequency)
	bands, _ := dora.BandsOf("2023")
	for _, n := range []int{dora.MaxGroups, dora.MaxGroups + 1} {
		a, err := dora.NewAggregation(dora.Query{From: noon.Add(-7 * day), To: noon})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			l := dora.Labels{Project: fmt.Sprint(i), Environment: fmt.Sprint(i / dora.MaxGroups)}
			if err := a.AddDeployment(l, dora.Deployment{DeployedAt: noon.Add(-1 * day).UnixMilli()}); err != nil {
				t.Fatal(err)
			}
		}
		g := a.Groups()[0]
		rating, isTooMany := bands.Rate(frequency, g), n > dora.MaxGroups
		if g.Deployments != int64(n) || (len(rating.Levels) == 0) != isTooMany || rating.Level != "" || g.MixedEnvironments != isTooMany {
			t.Errorf("%d applications: %d deployments, %+v, mixed %v", n, g.Deployments, rating, g.MixedEnvironments)
		}
	}
}
