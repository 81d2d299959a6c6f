package handlers_test

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dbtest"
)

// aDay is a story with every figure in it, told at noon.
func aDay(t *testing.T) *service {
	t.Helper()
	s := start(t)
	for _, d := range []string{
		`{"id":"1","project_id":"shop","first_commit_at":"@07:00","deploy_start_at":"@07:50"}`,
		`{"id":"2","project_id":"shop","first_commit_at":"@07:00","deploy_start_at":"@08:50","rework":true}`,
		`{"id":"3","project_id":"api","environment":"staging","first_commit_at":"@09:00","deploy_start_at":"@09:30"}`,
		`{"id":"4","project_id":"api","first_commit_at":"@11:00","deploy_start_at":"@11:30"}`,
	} {
		s.must("POST /deployments", d)
	}
	s.must("POST /deployments/1/deployed", `{"deployed_at":"@08:00"}`)
	s.must("POST /deployments/2/deployed", `{"deployed_at":"@09:00"}`)
	s.must("POST /deployments/3/deployed", `{"deployed_at":"@10:00"}`)
	s.must("POST /incidents", `{"id":"a","project_id":"shop","deployment_id":"1","started_at":"@08:15","restored_at":"@08:45"}`)
	s.must("POST /incidents", `{"id":"b","project_id":"shop","started_at":"@10:00","restored_at":"@12:00"}`)
	s.must("POST /incidents", `{"id":"c","project_id":"api","started_at":"@11:00"}`)
	return s
}

func decoded(t *testing.T, a answer) (value map[string]any) {
	t.Helper()
	if a.status != 200 {
		t.Fatal(a)
	}
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// dig finds a value by its path, such as groups.0.incidents.
func dig(t *testing.T, value any, path string) any {
	t.Helper()
	for _, step := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			found, ok := v[step]
			if !ok {
				t.Fatalf("no %s in %v", path, v)
			}
			value = found
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				t.Fatalf("no %s in %v", path, v)
			}
			value = v[i]
		default:
			t.Fatalf("no %s", path)
		}
	}
	return value
}

func TestDora(t *testing.T) {
	s := aDay(t)
	got := decoded(t, s.get("/dora?window=1d"))
	for path, want := range map[string]any{
		"from": "2026-03-03T12:00:00.001Z", "to": "2026-03-04T12:00:00.001Z", "tz": "UTC", "bands.year": 2023.0,
		"groups.0.project_id":                                  nil,
		"groups.0.deployment_frequency.deployments":            3.0,
		"groups.0.deployment_frequency.per_day":                3.0,
		"groups.0.deployment_frequency.days_with_deployment":   1.0,
		"groups.0.deployment_frequency.level":                  "elite",
		"groups.0.change_lead_time.p50_seconds":                3600.0,
		"groups.0.change_lead_time.p90_seconds":                6480.0,
		"groups.0.change_lead_time.mean_seconds":               4800.0,
		"groups.0.change_lead_time.samples":                    3.0,
		"groups.0.change_lead_time.level":                      "elite",
		"groups.0.change_failure_rate.failed_deployments":      1.0,
		"groups.0.change_failure_rate.level":                   "low",
		"groups.0.failed_deployment_recovery_time.p50_seconds": 1800.0,
		"groups.0.failed_deployment_recovery_time.samples":     1.0,
		"groups.0.failed_deployment_recovery_time.level":       "elite",
		"groups.0.deployment_rework_rate.rework_deployments":   1.0,
		"groups.0.deployment_rework_rate.level":                nil,
		"groups.0.deployment_duration.p50_seconds":             600.0,
		"groups.0.unfinished_deployments":                      1.0,
		"groups.0.time_to_restore.p50_seconds":                 4500.0,
		"groups.0.time_to_restore.level":                       nil,
		"groups.0.time_to_detect.mean_seconds":                 900.0,
		"groups.0.incidents":                                   3.0,
		"groups.0.open_incidents":                              1.0,
	} {
		if value := dig(t, got, path); value != want {
			t.Errorf("%s is %v, want %v", path, value, want)
		}
	}
	if ratio, ok := dig(t, got, "groups.0.change_failure_rate.ratio").(float64); !ok || math.Abs(ratio-1.0/3) > 1e-12 {
		t.Errorf("change failure rate is %v", ratio)
	}
	older := decoded(t, s.get("/api/v1/dora?window=1d&bands=2021"))
	if level := dig(t, older, "groups.0.time_to_restore.level"); level != "medium" && level != "high" {
		t.Errorf("the level of 2021 for the time to restore is %v", level)
	}
	if level := dig(t, older, "groups.0.failed_deployment_recovery_time.level"); level != nil {
		t.Errorf("2021 had no band for the recovery of failed deployments, and yet it is %v", level)
	}
}

func TestDoraGroupsFiltersAndSplitsIntoIntervals(t *testing.T) {
	s := aDay(t)
	got := decoded(t, s.get("/dora?from=2026-03-03&to=2026-03-06&group_by=project,environment&interval=day&tz=Asia/Tokyo"))
	var seen []string
	for i := range dig(t, got, "groups").([]any) {
		g := dig(t, got, fmt.Sprint("groups.", i))
		line := fmt.Sprintf("%v/%v %v:", dig(t, g, "project_id"), dig(t, g, "environment"), dig(t, g, "deployment_frequency.deployments"))
		for _, piece := range dig(t, g, "series").([]any) {
			line += fmt.Sprintf(" %v=%v", dig(t, piece, "from"), dig(t, piece, "deployment_frequency.deployments"))
		}
		seen = append(seen, line)
	}
	compare(t, "groups", seen, []string{
		"api/production 0: 2026-03-03T00:00:00.000+09:00=0 2026-03-04T00:00:00.000+09:00=0",
		"api/staging 1: 2026-03-03T00:00:00.000+09:00=0 2026-03-04T00:00:00.000+09:00=1",
		"shop/production 2: 2026-03-03T00:00:00.000+09:00=0 2026-03-04T00:00:00.000+09:00=2",
	})
	filtered := decoded(t, s.get("/dora?window=1d&project_id=api&environment=staging"))
	if n := dig(t, filtered, "groups.0.deployment_frequency.deployments"); n != 1.0 {
		t.Errorf("%v deployments of api in staging", n)
	}
	nothing := decoded(t, s.get("/dora?window=1d&project_id=nobody"))
	if n := dig(t, nothing, "groups.0.change_failure_rate.ratio"); n != nil {
		t.Errorf("the failure rate of nothing is %v", n)
	}
}

func TestRecoveryClockStartsWhereAsked(t *testing.T) {
	s := aDay(t)
	for query, want := range map[string]float64{"": 1800, "&recovery_from=incident": 1800, "&recovery_from=deployment": 2700} {
		got := decoded(t, s.get("/dora?window=1d"+query))
		if value := dig(t, got, "groups.0.failed_deployment_recovery_time.p50_seconds"); value != want {
			t.Errorf("%s: %v, want %v", query, value, want)
		}
		explained := decoded(t, s.get("/dora/explain?metric=failed_deployment_recovery_time&window=1d"+query))
		if dig(t, explained, "evidence.0.deployment.id") != "1" || dig(t, explained, "evidence.0.value_seconds") != want ||
			dig(t, explained, "evidence.0.incident_ids.0") != "a" {
			t.Errorf("%s: %v", query, explained)
		}
	}
	if badge := s.get("/badge/failed_deployment_recovery_time.svg?window=1d&recovery_from=deployment"); !strings.Contains(badge.body, "45 min") {
		t.Error(badge)
	}
	if page := s.get("/?window=1d&recovery_from=deployment"); !strings.Contains(page.body, "45 min") || !strings.Contains(page.body, "recovery_from=deployment") {
		t.Error("the page does not show the recovery from the deployment")
	}
}

func TestDoraNamesTheInvalidParameter(t *testing.T) {
	s := start(t)
	for _, test := range []struct{ query, field, says string }{
		{"window=30", "window", "such as 24h, 30d or 12w"},
		{"window=0d", "window", "such as 24h"},
		{"window=9999999w", "window", "100 years"},
		{"from=yesterday", "from", "2026-01-31"},
		{"to=2026-13-01", "to", "2026-01-31"},
		{"from=2026-02-01&to=2026-01-01", "from", "not before to"},
		{"from=2026-04-01&to=2026-05-01", "from", "in the future"},
		{"from=2026-02-01&window=7d", "window", "send one of them"},
		{"from=1913-02-01", "from", "1970"},
		{"tz=Mars", "tz", "Europe/Berlin"},
		{"tz=Local", "tz", "Europe/Berlin"},
		{"tz=../../etc/passwd", "tz", "Europe/Berlin"},
		{"group_by=project,colour", "group_by", "project, team and environment"},
		{"interval=hour", "interval", "day, week, month"},
		{"bands=2019", "bands", "2021, 2023"},
		{"recovery_from=start", "recovery_from", "incident, deployment"},
		{"format=xml", "format", "json, csv"},
		{"project=shop", "project", "project_id"},
	} {
		got := s.get("/dora?" + test.query)
		if got.status != 400 || !strings.Contains(got.String(), test.field+" ") || !strings.Contains(got.String(), test.says) {
			t.Errorf("%s: %s", test.query, got)
		}
	}
	for request, field := range map[string]string{
		"/dora/explain": "metric", "/dora/explain?metric=luck": "change_lead_time", "/dora/explain?metric=incidents&limit=0": "limit",
	} {
		if got := s.get(request); got.status != 400 || !strings.Contains(got.String(), field) {
			t.Errorf("%s: %s", request, got)
		}
	}
	for _, request := range []string{"/badge/luck.svg", "/badge/incidents.png", "/badge/incidents"} {
		if got := s.get(request); got.status != 404 || !strings.Contains(got.String(), "change_lead_time") {
			t.Errorf("%s: %s", request, got)
		}
	}
}

func TestQueryDatesAreInTheGivenTimeZone(t *testing.T) {
	s := start(t)
	for query, want := range map[string]string{
		"from=2026-01-31&to=2026-02-01":                                      "2026-01-31T00:00:00.000Z 2026-02-01T00:00:00.000Z",
		"from=2026-01-31&to=2026-02-01&tz=America/New_York":                  "2026-01-31T05:00:00.000Z 2026-02-01T05:00:00.000Z",
		"from=2026-01-31T12:00:00%2B02:00&to=2026-02-01&tz=America/New_York": "2026-01-31T10:00:00.000Z 2026-02-01T05:00:00.000Z",
		"from=2026-01-31T12:00:00+02:00&to=2026-02-01":                       "2026-01-31T10:00:00.000Z 2026-02-01T00:00:00.000Z",
		"to=2026-02-01&window=2w":                                            "2026-01-18T00:00:00.000Z 2026-02-01T00:00:00.000Z",
		"":                                                                   "2026-02-02T12:00:00.001Z 2026-03-04T12:00:00.001Z",
	} {
		got := decoded(t, s.get("/dora?"+query))
		if window := fmt.Sprint(got["from"], " ", got["to"]); window != want {
			t.Errorf("%s: %s, want %s", query, window, want)
		}
	}
}

// hostile are names that do harm where they are not escaped.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'onmouseover='alert(1)`, `</style><script>alert(1)</script>`,
	`{{.Style}}`, `javascript:alert(1)`, `]]><svg onload=alert(1)>`, `&lt;b&gt;`,
	`=HYPERLINK("http://evil","x")`, `+1+cmd|' /C calc'!A0`, `-2+3`, `@SUM(1)`, `  =1+1`, `'=1`, `|calc`, `%0A=1`,
}

func TestHostileNamesAreHarmlessInCSV(t *testing.T) {
	s := start(t)
	for i, name := range hostile {
		deployHostile(t, s, name, fmt.Sprint(i))
	}
	for _, request := range []string{
		"/dora?window=1d&group_by=project,environment,team&format=csv",
		"/dora?window=1d&group_by=project&interval=day&format=csv",
		"/dora/explain?metric=change_failure_rate&window=1d&format=csv",
		"/dora/explain?metric=incidents&window=1d&format=csv",
	} {
		got := s.get(request)
		if !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", request, got.header)
		}
		records, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(records) <= len(hostile) {
			t.Errorf("%s: %d rows", request, len(records))
		}
		seen := map[string]bool{}
		for _, record := range records {
			for _, cell := range record {
				if trimmed := strings.TrimSpace(cell); trimmed != "" && strings.ContainsAny(trimmed[:1], "=+-@|%\t\r") {
					t.Errorf("%s: a cell is a formula: %q", request, cell)
				}
				seen[strings.TrimPrefix(cell, "'")] = true
			}
		}
		for _, name := range hostile {
			if !seen[name] {
				t.Errorf("%s: %q is not there", request, name)
			}
		}
	}
}

func deployHostile(t *testing.T, s *service, name, id string) {
	t.Helper()
	quoted, err := json.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	s.must("POST /deployments", fmt.Sprintf(`{"id":%s,"project_id":%[1]s,"environment":%[1]s,"first_commit_at":"@07:00","deploy_start_at":"@07:50"}`, quoted))
	s.must("POST /deployments/"+urlEscape(name)+"/deployed", `{"deployed_at":"@08:00"}`)
	s.must("POST /incidents", fmt.Sprintf(`{"id":%s,"project_id":%[1]s,"environment":%[1]s,"deployment_id":%[1]s,"started_at":"@09:00"}`, quoted))
}

func TestCSVIsNegotiated(t *testing.T) {
	s := aDay(t)
	for accept, want := range map[string]string{
		"text/csv": "text/csv", "text/csv;q=0.9, application/json;q=0.1": "text/csv",
		"application/json, text/csv": "application/json", "*/*": "application/json", "": "application/json",
	} {
		got := s.get("/dora?window=1d", "Accept: "+accept)
		if !strings.HasPrefix(got.header.Get("Content-Type"), want) || got.header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: %s", accept, got.header.Get("Content-Type"))
		}
	}
	records, err := csv.NewReader(strings.NewReader(s.get("/dora?window=1d&group_by=project&format=csv").body)).ReadAll()
	if err != nil || len(records) != 3 {
		t.Fatal(records, err)
	}
	column := func(name string) int { return slices.Index(records[0], name) }
	if api := records[1]; api[column("deployments")] != "1" || api[column("failed_deployment_recovery_time_p50_seconds")] != "" {
		t.Errorf("api: %q", api)
	}
	if shop := records[2]; shop[column("change_failure_rate")] != "0.5" || shop[column("change_lead_time_p50_seconds")] != "5400" {
		t.Errorf("shop: %q", shop)
	}
}

func TestExplainShowsTheEvidence(t *testing.T) {
	s := aDay(t)
	got := decoded(t, s.get("/dora/explain?metric=change_failure_rate&window=1d&project_id=shop"))
	if dig(t, got, "figure.ratio") != 0.5 || dig(t, got, "evidence.1.deployment.id") != "1" ||
		dig(t, got, "evidence.1.counted") != true || dig(t, got, "evidence.1.incident_ids.0") != "a" ||
		dig(t, got, "evidence.0.counted") != false {
		t.Error(got)
	}
	detect := decoded(t, s.get("/dora/explain?metric=time_to_detect&window=1d"))
	if dig(t, detect, "evidence.0.incident.id") != "a" || dig(t, detect, "evidence.0.value_seconds") != 900.0 {
		t.Error(detect)
	}
	first := s.get("/dora/explain?metric=change_lead_time&window=1d&limit=2")
	if n := len(dig(t, decoded(t, first), "evidence").([]any)); n != 2 {
		t.Errorf("%d on the first page", n)
	}
	s.now.Set(dbtest.At("13:00")) // the pages belong together, however long the reading takes
	link := strings.Trim(strings.Split(first.header.Get("Link"), ";")[0], "<>")
	second := decoded(t, s.get(link))
	if dig(t, second, "to") != "2026-03-04T12:00:00.001Z" || dig(t, second, "evidence.0.deployment.id") != "1" ||
		len(dig(t, second, "evidence").([]any)) != 1 {
		t.Error(second)
	}
}

// TestDoraOfRealReleases sends a file of deployments and incidents, and
// compares the percentiles of its lead times with those computed from the file.
// EM_METRICS_RELEASES names another file than the sample.
func TestDoraOfRealReleases(t *testing.T) {
	path := cmp.Or(os.Getenv("EM_METRICS_RELEASES"), "../cmd/em-metrics/testdata/sample.jsonl")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := start(t, func(o *setup) { o.Environment = "" })
	s.now.Set(time.Now())
	leads, restores := map[string][]float64{}, map[string][]float64{}
	var commands []db.Command
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var l struct {
			Kind, ID, Environment string
			ProjectID             string     `json:"project_id"`
			DeploymentID          string     `json:"deployment_id"`
			FirstCommitAt         time.Time  `json:"first_commit_at"`
			DeployedAt            *time.Time `json:"deployed_at"`
			StartedAt             time.Time  `json:"started_at"`
			RestoredAt            *time.Time `json:"restored_at"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		key := db.Key{Project: l.ProjectID, Environment: cmp.Or(l.Environment, "NO_ENV"), ID: l.ID}
		switch l.Kind {
		case "deployment":
			commands = append(commands, db.StartDeployment{Key: key, FirstCommitAt: l.FirstCommitAt, DeployStartAt: l.FirstCommitAt})
			if l.DeployedAt != nil {
				commands = append(commands, db.FinishDeployment{Ref: db.Ref{ID: key.ID, Project: key.Project, Environment: key.Environment}, DeployedAt: *l.DeployedAt})
				leads[l.ProjectID] = append(leads[l.ProjectID], l.DeployedAt.Sub(l.FirstCommitAt).Seconds())
			}
		case "incident":
			open := db.OpenIncident{Key: key, DeploymentID: l.DeploymentID, StartedAt: l.StartedAt}
			if l.RestoredAt != nil {
				open.RestoredAt = *l.RestoredAt
				restores[l.ProjectID] = append(restores[l.ProjectID], l.RestoredAt.Sub(l.StartedAt).Seconds())
			}
			commands = append(commands, open)
		}
	}
	if _, err := s.store.Do(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
	got := decoded(t, s.get("/dora?window=36500d&group_by=project"))
	groups := dig(t, got, "groups").([]any)
	if len(groups) == 0 || len(groups) != len(leads) {
		t.Fatalf("%d groups of %d projects", len(groups), len(leads))
	}
	for _, g := range groups {
		project := dig(t, g, "project_id").(string)
		checkPercentiles(t, project+" lead time", dig(t, g, "change_lead_time"), leads[project])
		checkPercentiles(t, project+" time to restore", dig(t, g, "time_to_restore"), restores[project])
	}
	t.Logf("%d commands of %d projects", len(commands), len(groups))
}

func checkPercentiles(t *testing.T, what string, got any, values []float64) {
	t.Helper()
	slices.Sort(values)
	if n := dig(t, got, "samples"); n != float64(len(values)) {
		t.Errorf("%s: %v samples, want %d", what, n, len(values))
		return
	}
	for name, p := range map[string]float64{"p50_seconds": 0.5, "p90_seconds": 0.9} {
		value := dig(t, got, name)
		if len(values) == 0 {
			if value != nil {
				t.Errorf("%s: %s of nothing is %v", what, name, value)
			}
			continue
		}
		rank := p * float64(len(values)-1)
		low, high := values[int(math.Floor(rank))], values[int(math.Ceil(rank))]
		want := low + (rank-math.Floor(rank))*(high-low)
		if number, ok := value.(float64); !ok || math.Abs(number-want) > 0.001 {
			t.Errorf("%s: %s is %v, want %v", what, name, value, want)
		}
	}
}
