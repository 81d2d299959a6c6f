package exporter_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/exporter"
)

const hour = time.Hour

// target are the labels of every scraped series in a history.
var target = []exporter.Label{{Name: "instance", Value: "em-metrics:3000"}, {Name: "job", Value: `a"job\`}}

// history writes the history of the store and parses it.
func (r *rig) history(o exporter.HistoryOptions) past {
	r.t.Helper()
	o.Target, o.TempDir, o.Step = target, r.t.TempDir(), hour
	o.SeriesHold, o.Windows, o.LabelSetLimit = r.options.SeriesHold, r.options.Windows, r.options.LabelSetLimit
	o.WindowSeriesLimit = r.options.WindowSeriesLimit
	var b bytes.Buffer
	if _, err := exporter.WriteHistory(r.t.Context(), r.store, &b, o); err != nil {
		r.t.Fatal(err)
	}
	if left, err := os.ReadDir(o.TempDir); err != nil || len(left) > 0 {
		r.t.Errorf("temporary files are left: %v, %v", left, err)
	}
	return parsePast(r.t, b.String())
}

// past has the values of a history by time, in Unix milliseconds, and by series.
type past map[int64]map[string]float64

var sampleLine = regexp.MustCompile(`^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)(?: (\S+))?$`)

// parsePast parses a history and checks what promtool relies on: families are
// contiguous, and each series is in the order of time.
func parsePast(t *testing.T, text string) past {
	t.Helper()
	if !strings.HasSuffix(text, "\n# EOF\n") {
		t.Error("the history does not end with # EOF")
	}
	all, last, families, current := past{}, map[string]int64{}, map[string]bool{}, ""
	for line := range strings.Lines(strings.TrimSuffix(text, "# EOF\n")) {
		if family, ok := strings.CutPrefix(line, "# TYPE "); ok {
			if current, _, _ = strings.Cut(family, " "); families[current] {
				t.Errorf("the family %s is there twice", current)
			}
			families[current] = true
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		series, value, at := parseSample(t, line)
		if !strings.HasPrefix(series, current) {
			t.Errorf("%s is in the family %s", series, current)
		}
		if at <= last[series] {
			t.Errorf("%s goes back in time", series)
		}
		if last[series] = at; all[at] == nil {
			all[at] = map[string]float64{}
		}
		all[at][series] = value
	}
	return all
}

// parseSample parses a line of either format. The labels of the series are sorted
// and without those of the target, and bounds are without a fraction of zero.
func parseSample(t *testing.T, line string) (series string, value float64, at int64) {
	t.Helper()
	match := sampleLine.FindStringSubmatch(strings.TrimSpace(line))
	if match == nil {
		t.Fatalf("%q is no sample", line)
	}
	labels := strings.SplitAfter(match[2], `",`)
	for i, l := range labels {
		l = strings.TrimSuffix(l, ",")
		if bound, ok := strings.CutPrefix(l, "le="); ok {
			number, err := strconv.ParseFloat(strings.Trim(bound, `"`), 64)
			if err != nil {
				t.Fatal(err)
			}
			l = fmt.Sprintf("le=%g", number)
		}
		labels[i] = l
	}
	if !strings.HasPrefix(line, "project:") && match[4] != "" {
		before := len(labels)
		labels = slices.DeleteFunc(labels, func(l string) bool { return l == `job="a\"job\\"` || l == `instance="em-metrics:3000"` })
		if len(labels) != before-2 {
			t.Errorf("%s lacks the labels of the target", line)
		}
	}
	slices.Sort(labels)
	value, err := strconv.ParseFloat(match[3], 64)
	if err != nil {
		t.Fatal(err)
	}
	seconds, _ := strconv.ParseFloat(match[4], 64)
	return match[1] + "{" + strings.Join(labels, ",") + "}", value, int64(math.Round(seconds * 1000))
}

// scraped returns what Prometheus would scrape now of the store.
func (r *rig) scraped() map[string]float64 {
	r.t.Helper()
	_, body := r.get(true)
	values := map[string]float64{}
	for line := range strings.Lines(body) {
		if ofStore.MatchString(line) {
			series, value, _ := parseSample(r.t, line)
			values[series] = value
		}
	}
	return values
}

var ofStore = regexp.MustCompile(`^(deployment|lead_time|change_failure|incident|time_to|dora)_`)

// A history equals what was scraped at the time.
func TestHistoryIsWhatWasScraped(t *testing.T) {
	for name, o := range map[string]exporter.Options{
		"all series":     {},
		"few label sets": {LabelSetLimit: 2},
		"few series":     {WindowSeriesLimit: 150},
	} {
		t.Run(name, func(t *testing.T) {
			o.SeriesHold, o.WindowPatience = 150*time.Second, time.Minute
			o.Windows = []time.Duration{24 * hour, hour, 6 * hour}
			r := newRig(t, o)
			was := past{}
			for n := range 26 {
				r.advance(20 * time.Minute)
				r.tellStory(n)
				r.advance(40 * time.Minute)
				was[r.now().UnixMilli()] = r.scraped()
			}
			compareHistory(t, r.history(exporter.HistoryOptions{}), was)
		})
	}
}

// tellStory records what happens in the n-th hour. Every four hours it is about
// another project: it deploys commits, which may lead to an incident, aborts
// another deployment, and ends with rework or, the second time, a rollback.
func (r *rig) tellStory(n int) {
	r.t.Helper()
	turn := n / 4
	project := []string{"shop", "search", "pay\"ments\\"}[turn%3]
	blue := func(string) string { return map[bool]string{true: "blue"}[project == "shop"] }
	key := func(n int) db.Key { return db.Key{Project: project, Environment: "production", ID: fmt.Sprint(n)} }
	ref := func(n int) db.Ref { return db.Ref{Project: project, ID: fmt.Sprint(n)} }
	switch n % 4 {
	case 0:
		r.do(db.StartDeployment{
			Key: key(n), DeployStartAt: r.ago(time.Duration(n) * time.Second), Team: blue,
			Commits: []db.Commit{{Name: "newer", At: r.ago(hour / 9)}, {Name: "older", At: r.ago(time.Duration(n+1) * hour / 7)}},
		}, db.FinishDeployment{Ref: ref(n)})
	case 1:
		cause := fmt.Sprint(n - 1)
		if turn%3 == 1 {
			cause = ""
		}
		r.do(db.StartDeployment{Key: key(n), FirstCommitUnknown: true, Team: blue},
			db.OpenIncident{Key: key(n), DeploymentID: cause, Team: blue})
	case 2:
		r.do(db.AbortDeployment{Ref: ref(n - 1)},
			db.StartDeployment{Key: key(n), FirstCommitAt: r.ago(hour), DeployStartAt: r.now(), Rework: true, Team: blue})
		if turn%2 == 0 {
			r.do(db.RestoreIncident{Ref: ref(n - 1)})
		}
	case 3:
		finish := db.FinishDeployment{Ref: ref(n - 1), Failed: turn == 1, Rollback: db.NullBool{V: turn >= 3, Valid: true}}
		r.do(finish, db.FinishIncident{Ref: ref(n - 2)})
		if turn == 2 { // what was aborted succeeds in a second attempt
			r.do(db.FinishDeployment{Ref: ref(n - 2)})
		}
	}
}

func compareHistory(t *testing.T, got, was past) {
	t.Helper()
	compared, seen := 0, map[string]bool{} // names of what was not zero
	for at, scraped := range was {
		when := time.UnixMilli(at).UTC().Format(time.TimeOnly)
		for series, value := range scraped {
			compared++
			name, _, _ := strings.Cut(series, "{")
			seen[name] = seen[name] || value != 0
			if v, ok := got[at][series]; !ok || math.Abs(v-value) > 2e-9*math.Abs(value) {
				t.Errorf("%s: %s is %v (%t), but was %v", when, series, v, ok, value)
			}
		}
		for series, value := range got[at] {
			raw, recorded := strings.CutPrefix(series, "project:")
			was, ok := scraped[raw]
			switch {
			case ok && recorded && value != was:
				t.Errorf("%s: %s is %v, want %v", when, series, value, was)
			case !ok && value != 0: // a series begins at zero
				t.Errorf("%s: %s is %v, but was not there", when, series, value)
			}
		}
	}
	if compared < 3000 {
		t.Errorf("only %d samples were compared", compared)
	}
	names := []string{"deployment_aborted_total"}
	for _, f := range dora.Figures() {
		for _, g := range f.Gauges {
			names = append(names, g.FullName())
		}
	}
	for _, name := range names {
		if !seen[name] {
			t.Errorf("%s was always zero", name)
		}
	}
}

// A series begins at zero, one step before its first event.
func TestHistoryBeginsAtZero(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.advance(20 * time.Minute)
	r.deploy("shop", "1")
	r.advance(30 * hour)
	got := r.history(exporter.HistoryOptions{})
	for at, want := range map[time.Time]float64{noon: 0, noon.Add(hour): 1, noon.Add(30 * hour): 1} {
		for _, name := range []string{
			"deployment_frequency_total", "project:deployment_frequency_total", "lead_time_for_changes_seconds_count",
		} {
			series := name + `{environment="production",project_id="shop"}`
			if v, ok := got[at.UnixMilli()][series]; !ok || v != want {
				t.Errorf("at %s %s is %v (%t), want %v", at.Format(time.TimeOnly), series, v, ok, want)
			}
		}
	}
	if early := got[noon.Add(-hour).UnixMilli()]; early != nil {
		t.Errorf("the history begins too early: %v", early)
	}
}

// A series that is still held at zero rises when the hold ends, so the history must
// not contain it.
func TestHistoryLeavesOutWhatIsHeld(t *testing.T) {
	r := newRig(t, exporter.Options{SeriesHold: time.Minute})
	r.deploy("shop", "1")
	r.advance(10 * time.Minute)
	r.open("shop", "i", "1")
	r.advance(59 * time.Second)
	at := r.now().UnixMilli()
	got, scraped := r.history(exporter.HistoryOptions{})[at], r.scraped()
	for series, want := range map[string]bool{
		`incident_count_total{environment="production",project_id="shop"}`:       false,
		`deployment_frequency_total{environment="production",project_id="shop"}`: true,
	} {
		if v, ok := got[series]; ok != want || v != scraped[series] {
			t.Errorf("%s is %v in the past (%t) and %v now", series, v, ok, scraped[series])
		}
	}
}

// From, To and Step choose the times; the last day has one every four minutes.
func TestTimesOfHistory(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.deploy("shop", "1")
	r.advance(50*hour + 90*time.Second)
	var o exporter.HistoryOptions
	o.From, o.To = noon.Add(30*time.Minute), noon.Add(30*hour+30*time.Second)
	got := r.history(o)
	var want []time.Time
	for at := noon.Add(hour); !at.After(o.To); at = at.Add(hour) {
		want = append(want, at)
	}
	for at := o.To.Add(-24 * hour).Truncate(4 * time.Minute).Add(4 * time.Minute); !at.After(o.To); at = at.Add(4 * time.Minute) {
		if at.Minute() != 0 {
			want = append(want, at)
		}
	}
	want = append(want, o.To)
	for _, at := range want {
		if got[at.UnixMilli()] == nil {
			t.Errorf("there is nothing at %s", at)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d times, want %d", len(got), len(want))
	}
}

// Every sum is at most the one that is exposed, or Prometheus would count it again.
func TestHistoryEndsAtTheExposedSums(t *testing.T) {
	r := newRig(t, exporter.Options{})
	for n := range 50 { // so many that rounding adds up to less than the exact sum
		id := fmt.Sprint(n)
		r.do(db.StartDeployment{
			Key:           db.Key{Project: "shop", Environment: "production", ID: id},
			FirstCommitAt: r.ago(time.Duration(n*977+101) * time.Millisecond), DeployStartAt: r.ago(time.Duration(n*7+1) * time.Millisecond),
		}, db.FinishDeployment{Ref: db.Ref{ID: id}})
	}
	got, scraped := r.history(exporter.HistoryOptions{})[r.now().UnixMilli()], r.scraped()
	compared := 0
	for series, value := range scraped {
		if strings.Contains(series, "_sum") {
			compared++
			if got[series] > value || got[series] < value*(1-2e-9) {
				t.Errorf("%s is %v in the past and %v now", series, got[series], value)
			}
		}
	}
	if compared != 2 {
		t.Errorf("%d sums were compared", compared)
	}
}

// fullDisk fails to write.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestHistoryReportsFailures(t *testing.T) {
	r := newRig(t, exporter.Options{})
	r.deploy("shop", "1")
	for name, c := range map[string]struct{ dir, want string }{
		"output":           {t.TempDir(), "write the history: "},
		"temporary folder": {t.TempDir() + "/missing", "create a folder for temporary files: "},
	} {
		_, err := exporter.WriteHistory(t.Context(), r.store, fullDisk{}, exporter.HistoryOptions{Step: hour, TempDir: c.dir})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s…", name, err, c.want)
		}
	}
}

var recordingRule = regexp.MustCompile(`- record: (\S+)\n +expr: max without \(instance, pod, job\) \((\w+)\)\n`)

// A history has the series that the rules record, under the names of the rules.
func TestHistoryHasWhatRulesRecord(t *testing.T) {
	content, err := os.ReadFile("../prometheus/rules/counters.yml")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, exporter.Options{})
	r.deploy("shop", "1")
	r.open("shop", "i", "1")
	r.do(db.RestoreIncident{Ref: db.Ref{ID: "i"}})
	scraped, recorded := map[string]string{}, map[string]string{}
	for series := range r.history(exporter.HistoryOptions{})[r.now().UnixMilli()] {
		name, labels, _ := strings.Cut(series, "{")
		if strings.HasPrefix(name, "project:") {
			recorded[name] = labels
		} else {
			scraped[name] = labels
		}
	}
	rules := recordingRule.FindAllStringSubmatch(string(content), -1)
	if len(rules) != len(recorded) || len(rules) == 0 {
		t.Errorf("there are %d rules, but %d recorded names", len(rules), len(recorded))
	}
	for _, rule := range rules {
		if recorded[rule[1]] == "" || scraped[rule[2]] == "" {
			t.Errorf("%s, recorded from %s, is not in the history", rule[1], rule[2])
		}
	}
}
