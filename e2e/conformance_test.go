package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// conformanceCase is a case of docs/conformance, shifted so that it ends today.
type conformanceCase struct {
	Now     time.Time
	Figures []struct {
		Query    map[string]string
		Expected map[string]any
	}
	name    string
	history []byte
}

// TestConformanceInPrometheus replays all cases of docs/conformance into one service,
// and compares the gauges, the recorded figures and the levels in Prometheus with
// the figures that the cases must give.
func TestConformanceInPrometheus(t *testing.T) {
	t.Parallel()
	cases := readConformance(t)
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"production": ["production"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	service := programtest.StartService(t, "CONFIG="+config, "EM_METRICS_WINDOWS=7d,14d,30d,90d")
	var histories []byte
	for _, c := range cases {
		histories = append(histories, c.history...)
	}
	file := filepath.Join(t.TempDir(), "histories.jsonl")
	if err := os.WriteFile(file, histories, 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := service.Run("replay", file); code != 0 {
		t.Fatalf("replay ended with exit code %d\n%s%s", code, stdout, stderr)
	}
	s := startPrometheus(t, repositoryConfig(t, "prometheus.yml", service))
	compared := 0
	for _, c := range cases {
		for _, f := range c.Figures {
			selector, ok := selectorOf(f.Query)
			if !ok {
				continue
			}
			for expression, want := range expectedSeries(selector, f.Expected) {
				compared++
				programtest.Eventually(t, 30*time.Second, func() error {
					if err := s.compareOne(expression, want); err != nil {
						return fmt.Errorf("%s, %v: %w", c.name, f.Query, err)
					}
					return nil
				})
			}
		}
	}
	if compared < 150 {
		t.Errorf("only %d series were compared", compared)
	}
	compareLevelsOfAPI(t, s, service)
}

func readConformance(t *testing.T) (cases []conformanceCase) {
	t.Helper()
	files, err := filepath.Glob("../docs/conformance/*.expected.json")
	if err != nil || len(files) < 18 {
		t.Fatal(len(files), "cases", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(file, ".expected.json")
		c := conformanceCase{name: filepath.Base(name)}
		if err := json.Unmarshal(content, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		history, err := os.ReadFile(name + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		c.history = shifted(t, history, time.Since(c.Now).Truncate(day))
		cases = append(cases, c)
	}
	return cases
}

// jsonDate matches a date in JSON.
var jsonDate = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]+"`)

// shifted returns a history with its dates moved.
func shifted(t *testing.T, history []byte, by time.Duration) []byte {
	t.Helper()
	return jsonDate.ReplaceAllFunc(history, func(date []byte) []byte {
		var at time.Time
		if err := json.Unmarshal(date, &at); err != nil {
			t.Fatal(err)
		}
		moved, err := json.Marshal(at.Add(by))
		if err != nil {
			t.Fatal(err)
		}
		return moved
	})
}

// gaugeSelector selects the series of a query.
type gaugeSelector struct {
	scope, window string // window is a matcher, which some gauges do not have
	production    bool   // of the environments that count as production
}

// selectorOf returns false if a query has no series.
func selectorOf(query map[string]string) (gaugeSelector, bool) {
	if query["window"] == "" || query["recovery_from"] != "" || query["environment"] == "*" {
		return gaugeSelector{}, false
	}
	g := gaugeSelector{scope: `scope="all"`, window: fmt.Sprintf(`,window=%q`, query["window"])}
	if project := query["project_id"]; project != "" {
		g.scope = fmt.Sprintf(`scope="project",project_id=%q`, project)
	}
	if environment := query["environment"]; environment != "" {
		g.scope += fmt.Sprintf(`,environment=%q`, environment)
	} else {
		g.production = true
	}
	return g, true
}

// series returns an expression for the series of a name with further matchers.
func (g gaugeSelector) series(name, matchers string) string {
	window := g.window
	if name == "dora_incidents_open" {
		window = ""
	}
	expression := name + "{" + g.scope + window + matchers + "}"
	if g.production {
		return expression + " and on (environment) environment:production:bool == 1"
	}
	return expression
}

// gaugesOf maps figures, and the members of those that have some, to gauges.
var gaugesOf = map[string]string{
	"deployment_frequency deployments": "dora_deployments", "deployment_frequency per_day": "dora_deployments_per_day",
	"deployment_frequency days_with_deployment": "dora_deployment_days",
	"change_failure_rate ratio":                 "dora_change_failure_ratio", "change_failure_rate failed_deployments": "dora_failed_deployments",
	"deployment_rework_rate ratio": "dora_rework_ratio",
	"change_lead_time":             "dora_lead_time", "failed_deployment_recovery_time": "dora_failed_deployment_recovery",
	"commit_lead_time": "dora_commit_lead_time", "aborted_deployments": "dora_deployments_aborted",
	"deployment_duration": "dora_deployment_duration", "time_to_restore": "dora_time_to_restore", "time_to_detect": "dora_time_to_detect",
	"unfinished_deployments": "dora_deployments_unfinished", "incidents": "dora_incidents", "open_incidents": "dora_incidents_open",
}

// recordedAs maps gauges, and durations for their medians, to recording rules.
var recordedAs = map[string]string{
	"dora_deployments": "dora:deployments:max", "dora_deployments_per_day": "dora:deployments_per_day:max",
	"dora_change_failure_ratio": "dora:change_failure_ratio:max", "dora_rework_ratio": "dora:rework_ratio:max",
	"dora_lead_time": "dora:lead_time_seconds:p50", "dora_commit_lead_time": "dora:commit_lead_time_seconds:p50",
	"dora_time_to_restore":            "dora:time_to_restore_seconds:p50",
	"dora_failed_deployment_recovery": "dora:failed_deployment_recovery_seconds:p50",
}

// levelKeys maps figures to the keys of the rules for levels.
var levelKeys = map[string]string{
	"deployment_frequency": "deployment_frequency", "change_lead_time": "lead_time", "change_failure_rate": "change_failure_ratio",
	"failed_deployment_recovery_time": "failed_deployment_recovery", "time_to_restore": "time_to_restore",
}

// levelNumbers are the values of levels in Prometheus.
var levelNumbers = map[string]float64{"low": 1, "medium": 2, "high": 3, "elite": 4}

// expectedSeries returns expressions and their value, nil if there must be none.
func expectedSeries(g gaugeSelector, expected map[string]any) map[string]any {
	all := map[string]any{}
	add := func(gauge, matchers string, want any) {
		all[g.series(gauge, matchers)] = want
		if rule := recordedAs[gauge]; rule != "" {
			all[g.series(rule, "")] = want
		}
	}
	for figure, value := range expected {
		members, ok := value.(map[string]any)
		if gauge := gaugesOf[figure]; !ok && gauge != "" {
			add(gauge, "", value)
		}
		for member, want := range members {
			gauge, duration := gaugesOf[figure+" "+member], gaugesOf[figure]
			switch {
			case gauge != "":
				add(gauge, "", want)
			case member == "p50_seconds":
				all[g.series(duration+"_seconds", `,quantile="0.5"`)] = want
				if rule := recordedAs[duration]; rule != "" {
					all[g.series(rule, "")] = want
				}
			case member == "p90_seconds":
				all[g.series(duration+"_seconds", `,quantile="0.9"`)] = want
			case member == "samples":
				all[g.series(duration+"_samples", "")] = want
			case member == "level" && want == nil:
				all[g.series("dora:level", fmt.Sprintf(`,bands="2023",key=%q`, levelKeys[figure]))] = nil
			case member == "level":
				all[g.series("dora:level", fmt.Sprintf(`,bands="2023",key=%q`, levelKeys[figure]))] = levelNumbers[want.(string)]
			case member == "levels":
				for level, n := range want.(map[string]any) {
					all[g.series("dora:projects_at_level", fmt.Sprintf(`,bands="2023",key=%q,level=%q`, levelKeys[figure], level))] = n
				}
			}
		}
	}
	return all
}

// compareOne compares the only value of an expression, nil if it must have none.
func (s *server) compareOne(expression string, want any) error {
	vector, err := s.query(expression)
	switch {
	case err != nil:
		return err
	case want == nil && len(vector) == 0:
		return nil
	case want == nil || len(vector) != 1 || !near(float64(vector[0].Value), want.(float64)):
		return fmt.Errorf("%s is %v, want %v", expression, vector, want)
	}
	return nil
}

// near reports whether two figures differ by a millionth at most.
func near(a, b float64) bool { return max(a-b, b-a) <= 1e-6*max(b, -b) }

// compareLevelsOfAPI compares the levels of the rules with those of /dora, for each
// project in each environment, and their number in each environment.
func compareLevelsOfAPI(t *testing.T, s *server, service *programtest.Service) {
	t.Helper()
	for _, window := range []string{"7d", "14d", "30d", "90d"} {
		for _, bands := range []string{"2021", "2023"} {
			query := "/dora?environment=*&window=" + window + "&bands=" + bands
			want := levelsOfAPI(t, service.Get(query+"&group_by=project,environment"))
			maps.Copy(want, levelsOfAPI(t, service.Get(query+"&group_by=environment")))
			if len(want) < 20 {
				t.Errorf("%s: only %d levels", query, len(want))
			}
			programtest.Eventually(t, 30*time.Second, func() error {
				got, err := s.levels(window, bands)
				if err != nil {
					return err
				}
				return differ(query, got, want)
			})
		}
	}
}

// levelsOfAPI returns the levels of an answer: those of a project as "KEY PROJECT
// ENVIRONMENT", and how many projects are at one as "KEY LEVEL in ENVIRONMENT".
func levelsOfAPI(t *testing.T, answer string) map[string]float64 {
	t.Helper()
	var decoded struct{ Groups []map[string]any }
	if err := json.Unmarshal([]byte(answer), &decoded); err != nil {
		t.Fatal(err)
	}
	levels := map[string]float64{}
	for _, group := range decoded.Groups {
		for figure, key := range levelKeys {
			rating := group[figure].(map[string]any)
			if level, ok := rating["level"].(string); ok && group["project_id"] != nil {
				levels[fmt.Sprint(key, " ", group["project_id"], " ", group["environment"])] = levelNumbers[level]
			}
			numbers, _ := rating["levels"].(map[string]any)
			for level, n := range numbers {
				if level != "none" && n != 0.0 {
					levels[fmt.Sprint(key, " ", level, " in ", group["environment"])] = n.(float64)
				}
			}
		}
	}
	return levels
}

// levels returns the levels of the rules, as levelsOfAPI does. The number of one
// project is left out.
func (s *server) levels(window, bands string) (map[string]float64, error) {
	matchers := fmt.Sprintf("{window=%q,bands=%q}", window, bands)
	one, err1 := s.query("dora:level" + matchers)
	several, err2 := s.query(`dora:projects_at_level` + matchers + ` > 0 and on (environment)
		count by (environment) (dora_deployments{scope="project",window="` + window + `"}) > 1`)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	levels := map[string]float64{}
	for _, l := range one {
		levels[fmt.Sprint(l.Metric["key"], " ", l.Metric["project_id"], " ", l.Metric["environment"])] = float64(l.Value)
	}
	for _, l := range several {
		if l.Metric["scope"] == "all" {
			levels[fmt.Sprint(l.Metric["key"], " ", l.Metric["level"], " in ", l.Metric["environment"])] = float64(l.Value)
		}
	}
	return levels, nil
}

// differ returns an error that says where two sets of levels differ.
func differ(what string, got, want map[string]float64) error {
	all := maps.Clone(got)
	maps.Copy(all, want)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if got[name] != want[name] {
			return fmt.Errorf("%s: %s is %v in Prometheus, want %v", what, name, got[name], want[name])
		}
	}
	return nil
}
