package dora_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// TestEveryRowIsComplete checks what a row of each kind needs, and that no name
// is used twice.
func TestEveryRowIsComplete(t *testing.T) {
	names, gauges := map[dora.Name]bool{}, map[string]bool{}
	for _, f := range dora.Figures() {
		if f.Name == "" || f.Title == "" || f.Value == nil || len(f.Gauges) == 0 || names[f.Name] {
			t.Errorf("%+v lacks something or is there twice", f)
		}
		names[f.Name] = true
		if (f.Kind == dora.Duration) != (f.From != "") || (f.Kind == dora.Ratio) != (f.Part != "" && f.PartName != "") {
			t.Errorf("%s: from %q, part %q %q do not fit its kind", f.Name, f.From, f.Part, f.PartName)
		}
		if isKey := f.HasBands || f.Name == dora.DeploymentReworkRate; isKey && f.Name != dora.TimeToRestore && f.About == "" {
			t.Errorf("%s has no explanation", f.Name)
		}
		for _, g := range f.Gauges {
			if g.Name == "" || g.Help == "" || g.Read == nil || gauges[g.Name] {
				t.Errorf("%s: gauge %+v lacks something or is there twice", f.Name, g)
			}
			gauges[g.Name] = true
			if found, ok := dora.Find(dora.Name(g.FullName())); !ok || found.Name != f.Name {
				t.Errorf("%s finds %q, want %q", g.FullName(), found.Name, f.Name)
			}
		}
		if found, ok := dora.Find(f.Name); !ok || found.Title != f.Title {
			t.Errorf("%s is not found", f.Name)
		}
	}
	if _, ok := dora.Find("luck"); ok {
		t.Error("there is a figure of luck")
	}
}

// TestEveryFigureIsDocumented looks for its title, name and gauges in one line
// of docs/dora.md.
func TestEveryFigureIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/dora.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range dora.Figures() {
		words := []string{"| **" + f.Title + "** `" + string(f.Name) + "` |"}
		for _, g := range f.Gauges {
			words = append(words, "`"+g.FullName()+"`")
		}
		if !slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
		}) {
			t.Errorf("no line has all of %q", words)
		}
	}
}

// TestFiguresOfNothingAreUndefined reads every figure from empty totals: counts
// are zero, ratios and durations have no number, no level and no gauge.
func TestFiguresOfNothingAreUndefined(t *testing.T) {
	nothing := dora.Totals{Length: day}
	for _, f := range dora.Figures() {
		v := f.Value(nothing)
		number, ok := f.Number(v)
		if counted := f.Kind == dora.Count || f.Kind == dora.Frequency; ok != counted || number != 0 {
			t.Errorf("%s is %v, %v", f.Name, number, ok)
		}
		for _, year := range dora.BandsNames() {
			if bands, _ := dora.BandsOf(year); bands.Level(f.Name, v) != "" {
				t.Errorf("%s of nothing has a level in %s", f.Name, year)
			}
		}
		for _, g := range f.Gauges {
			readings := g.Read(v)
			if undefined := !ok && !slices.Contains([]string{"{deployment}", "{commit}", "{incident}"}, g.Unit); undefined != (len(readings) == 0) {
				t.Errorf("%s shows %v", g.Name, readings)
			}
		}
	}
}

// TestFiguresAreReadFromTheirTotals gives every total a number of its own.
func TestFiguresAreReadFromTheirTotals(t *testing.T) {
	lasting := func(samples int64) dora.Distribution {
		return dora.Distribution{Samples: samples, P50: time.Duration(samples) * time.Second, P90: time.Minute, Mean: time.Hour}
	}
	totals := dora.Totals{
		Length: 2 * day,
		Counts: dora.Counts{
			Deployments: 8, DeploymentDays: 2, FailedDeployments: 1, ReworkDeployments: 2,
			UnfinishedDeployments: 3, AbortedDeployments: 6, Incidents: 4, OpenIncidents: 5,
		},
		LeadTime: lasting(11), CommitLeadTime: lasting(16), DeploymentDuration: lasting(12), FailedDeploymentRecovery: lasting(13),
		TimeToRestore: lasting(14), TimeToDetect: lasting(15),
	}
	want := map[dora.Name]float64{
		"deployment_frequency": 8, "change_lead_time": 11, "change_failure_rate": 0.125,
		"failed_deployment_recovery_time": 13, "deployment_rework_rate": 0.25, "deployment_duration": 12,
		"commit_lead_time": 16, "aborted_deployments": 6,
		"unfinished_deployments": 3, "time_to_restore": 14, "time_to_detect": 15, "incidents": 4, "open_incidents": 5,
	}
	got := map[dora.Name]float64{}
	for _, f := range dora.Figures() {
		got[f.Name], _ = f.Number(f.Value(totals))
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	f, _ := dora.Find(dora.DeploymentFrequency)
	if v := f.Value(totals); v.PerDay() != 4 || v.Days != 2 {
		t.Errorf("%v a day on %d days", v.PerDay(), v.Days)
	}
}
