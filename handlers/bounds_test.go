package handlers_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dbtest"
)

// allocated returns how many bytes the process allocates for a call.
func allocated(call func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestFarWindowsCostNothing asks for thousands of years of a store that has one
// day. Each answer, or refusal, allocates little, and ends now.
func TestFarWindowsCostNothing(t *testing.T) {
	const limit = 10_000_000
	s := aDay(t)
	s.client.Transport = http.DefaultTransport // checks of the contract would allocate more
	for _, test := range []struct {
		request string
		status  int
		says    string
	}{
		{"/dora?interval=day&from=1970-01-01&to=2243-01-01", 422, "interval makes 20517 intervals, but there may be at most 4000"},
		{"/dora?interval=day&from=1970-01-01&to=9999-01-01&format=csv", 422, "interval makes 20517 intervals, but there may be at most 4000"},
		{"/dora?interval=day&from=1970-01-01&to=2026-01-01", 422, "interval makes 20454 intervals, but there may be at most 4000"},
		{"/dora?interval=day&window=36500d", 422, "interval makes 20517 intervals, but there may be at most 4000"},
		{"/dora?interval=month&from=1970-01-01&to=9999-01-01", 200, `"to":"2026-03-04T12:00:00.001Z"`},
		{"/dora?from=1970-01-01&to=9999-01-01", 200, `"to":"2026-03-04T12:00:00.001Z"`},
		{"/dora?window=1d&to=2243-01-01", 200, `"from":"2026-03-03T12:00:00.001Z","to":"2026-03-04T12:00:00.001Z"`},
		{"/dora?from=2100-01-01&to=9999-01-01", 400, "from is 2100-01-01T00:00:00.000Z, which is in the future"},
		{"/dora/explain?metric=incidents&from=1970-01-01&to=9999-01-01", 200, `"to":"2026-03-04T12:00:00.001Z"`},
		{"/badge/incidents.svg?from=1970-01-01&to=9999-01-01", 200, "1970-01-01 to 2026-03-04"},
		{"/?from=1970-01-01&to=2243-01-01", 200, "1 January 1970, 00:00 to 4 March 2026, 12:00 (UTC)"},
		{"/?from=1970-01-01&to=9999-01-01", 200, "1 January 1970, 00:00 to 4 March 2026, 12:00 (UTC)"},
	} {
		var got answer
		if bytes := allocated(func() { got = s.get(test.request) }); bytes > limit {
			t.Errorf("%s allocates %d bytes", test.request, bytes)
		}
		if got.status != test.status || !strings.Contains(got.body+got.String(), test.says) {
			t.Errorf("%s: status %d, no %q in %.500s", test.request, got.status, test.says, got.body)
		}
	}
}

// TestAWindowInTheFutureDividesByTheDaysUntilNow sends the month that is not over
// yet: three deployments in three and a half days are not three in 31.
func TestAWindowInTheFutureDividesByTheDaysUntilNow(t *testing.T) {
	s := aDay(t)
	got := decoded(t, s.get("/dora?from=2026-03-01T12:00:00Z&to=2026-04-01"))
	if perDay, _ := dig(t, got, "groups.0.deployment_frequency.per_day").(float64); perDay < 0.999 || perDay > 1 {
		t.Errorf("%v a day, want 1", perDay)
	}
}

// deployEach stores a deployment, deployed at 11:00, of each of many projects, as
// the store would but in one statement.
func deployEach(t testing.TB, s *service, projects int) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+s.store.Path()+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	const minute = 60_000
	_, err = pool.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
		INSERT INTO deployments (project_id, environment, id, first_commit_at, deploy_start_at, deployed_at, began_at, recorded_at)
		SELECT printf('project-%05d', i), 'production', '1', ?2 - ?3, ?2 - ?4, ?2, ?2 - ?4, ?2 FROM n;
		INSERT INTO events (kind, project_id, environment, subject_id, occurred_at, recorded_at)
		SELECT 'deployment_deployed', project_id, environment, id, deployed_at, recorded_at FROM deployments`,
		projects, dbtest.At("11:00").UnixMilli(), 60*minute, 10*minute)
	if err != nil {
		t.Fatal(err)
	}
}

func deployedAtEleven(project, id string) []db.Command {
	key := db.Key{Project: project, Environment: "production", ID: id}
	return []db.Command{
		db.StartDeployment{Key: key, FirstCommitAt: dbtest.At("10:00"), DeployStartAt: dbtest.At("10:50")},
		db.FinishDeployment{Ref: db.Ref{ID: id, Project: project, Environment: key.Environment}, DeployedAt: dbtest.At("11:00")},
	}
}

// TestManyProjects has one project more than there may be groups. Answers with a
// group for each are refused with what is possible, and the page shows the
// projects with the most deployments.
func TestManyProjects(t *testing.T) {
	s := start(t)
	s.client.Transport = http.DefaultTransport // checks of the contract would take long
	deployEach(t, s, 10_000)
	if groups := dig(t, decoded(t, s.get("/dora?window=1d&group_by=project")), "groups").([]any); len(groups) != 10_000 {
		t.Errorf("%d groups", len(groups))
	}
	s.must("POST /deployments", `{"id":"1","project_id":"small","first_commit_at":"@07:00"}`)
	for id, project := range []string{"project-07000", "project-07000", "project-06000"} {
		if _, err := s.store.Do(t.Context(), deployedAtEleven(project, fmt.Sprint("again-", id))...); err != nil {
			t.Fatal(err)
		}
	}
	for request, says := range map[string]string{
		"/dora?window=1d&group_by=project":                  "group_by makes more than 10000 groups",
		"/dora?window=364d&group_by=project&interval=day":   "interval makes 365 intervals for each group, and so there may be at most 136 groups",
		"/dora?window=364d&group_by=project&interval=month": "interval makes 13 intervals for each group, and so there may be at most 3846 groups",
	} {
		if got := s.get(request); got.status != 422 || !strings.Contains(got.String(), says) {
			t.Errorf("%s: %s", request, got)
		}
	}
	page := s.get("/?window=1d").body
	rows := strings.Split(page, `<th scope="row"><a href="?`)
	if len(page) > 150_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for n, name := range map[int]string{1: "project-07000", 2: "project-06000", 3: "project-00000", 50: "project-00047"} {
		if n >= len(rows) || !strings.Contains(rows[n], name) {
			t.Errorf("row %d of %d is not %s: %.300s", n, len(rows)-1, name, rows[min(n, len(rows)-1)])
		}
	}
	for _, want := range []string{
		"and 9951 more with fewer deployments; they are in the CSV", "<option value=\"\" disabled>and 9501 more; set project_id in the address</option>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if selected := s.get("/?window=1d&project_id=small").body; !strings.Contains(selected, `<option value="small" selected>`) ||
		!strings.Contains(selected, "and 9500 more; set project_id") {
		t.Error("a project that is not listed cannot be selected")
	}
}

// TestALongAnswerIsSentWhileItIsEncoded compares what a long series allocates,
// the client included, with its size.
func TestALongAnswerIsSentWhileItIsEncoded(t *testing.T) {
	s := start(t)
	deployEach(t, s, 100)
	s.client.Transport = http.DefaultTransport
	for _, format := range []string{"json", "csv"} {
		var status int
		var size int64
		bytes := allocated(func() { status, size = s.discard("/dora?window=364d&group_by=project&interval=day&format=" + format) })
		if perBucket := bytes / 36_500; status != 200 || size < 4_000_000 || perBucket > 2_500 {
			t.Errorf("%s: status %d, %d bytes, %d allocated for each interval", format, status, size, perBucket)
		}
	}
}

// discard sends a GET request and returns the status and the size of the answer.
func (s *service) discard(path string) (status int, size int64) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	buffer := make([]byte, 64<<10)
	for err == nil {
		var n int
		n, err = response.Body.Read(buffer)
		size += int64(n)
	}
	return response.StatusCode, size
}

// TestSmallNumbersAreValidJSON has one deployment in 56 years.
func TestSmallNumbersAreValidJSON(t *testing.T) {
	s := start(t)
	s.now.Set(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
	deployEach(t, s, 1)
	got := s.get("/dora?from=1970-01-01&group_by=project&interval=month").body
	if !json.Valid([]byte(got)) || !strings.Contains(got, `"per_day":0.00004`) {
		t.Errorf("%.500s", got)
	}
}

// BenchmarkLongSeries answers a year by day of a hundred projects.
func BenchmarkLongSeries(b *testing.B) {
	s := start(b)
	deployEach(b, s, 100)
	s.client.Transport = http.DefaultTransport
	for _, format := range []string{"json", "csv"} {
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if status, _ := s.discard("/dora?window=364d&group_by=project&interval=day&format=" + format); status != 200 {
					b.Fatal(status)
				}
			}
		})
	}
}
