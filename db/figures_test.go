package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

var doraNow = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func openAt(t testing.TB, now func() time.Time) *db.Store {
	t.Helper()
	s, err := db.Open(context.Background(), filepath.Join(t.TempDir(), "dora.db"), db.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// TestDoraEqualsBruteForce stores random histories through the front door and
// compares every field of every group and interval with a naive computation
// over the same history.
func TestDoraEqualsBruteForce(t *testing.T) {
	rounds := bruteForceRounds
	if testing.Short() {
		rounds = min(rounds, 300)
	}
	s := openAt(t, at(doraNow))
	wipe := wiper(t, s.Path())
	random := rand.New(rand.NewPCG(2026, 3))
	checked := 0
	for round := range rounds {
		h := randomHistory(random)
		h.store(t, s)
		for range 3 {
			q := randomQuery(random, h)
			got, err := s.Dora(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			if want := bruteDora(h, q); !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d, query %+v\n got %+v\nwant %+v\nhistory %+v", round, q, got, want, h)
			}
			for _, group := range got {
				checked += 1 + len(group.Series)
			}
		}
		lengths := []time.Duration{7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour}
		got, err := s.DoraWindows(context.Background(), lengths, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := bruteWindows(h, lengths, doraNow.Add(time.Millisecond)); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d windows\n got %+v\nwant %+v\nhistory %+v", round, got, want, h)
		}
		places := dora.NewPlaces(2)
		for _, l := range placed {
			places.Take(l)
		}
		limited, err := s.DoraWindows(context.Background(), lengths, places)
		if err != nil {
			t.Fatal(err)
		}
		if want := bruteLimitedWindows(h, lengths, got); !reflect.DeepEqual(limited, want) {
			t.Fatalf("round %d windows with two places\n got %+v\nwant %+v\nhistory %+v", round, limited, want, h)
		}
		compareHistory(t, s, h, lengths, random)
		wipe()
	}
	t.Logf("%d histories, %d sets of figures equal", rounds, checked)
}

// wiper empties the store between histories, which is quicker than a new file.
func wiper(t *testing.T, path string) func() {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return func() {
		if _, err := pool.Exec("DELETE FROM incidents; DELETE FROM deployment_commits; DELETE FROM deployments"); err != nil {
			t.Fatal(err)
		}
	}
}

// history is what happened, in the simplest form there is. A zero time has not
// come.
type history struct {
	deployments []pastDeployment
	incidents   []pastIncident
}

type pastDeployment struct {
	project, environment, team, id string
	commit, start, deployed        time.Time
	aborted                        time.Time   // before it was deployed, if it was
	commits                        []time.Time // if they are known; the first one is at commit
	rework, failed                 bool        // as reported
	late                           bool        // deployed only after its incidents were told
	rollback                       bool        // of the one that was live
	rolledBack                     time.Time   // by one that replaced it
}

type pastIncident struct {
	project, environment, team, id, deployment string
	started, restored                          time.Time
	later                                      bool // linked and restored by a second command
	automatic                                  bool // restored by a rollback
}

// grid is where half of all dates and all edges of windows fall, so that they
// meet.
const grid = 12 * time.Hour

// randomDate falls within a hundred days.
func randomDate(r *rand.Rand) time.Time {
	ago := time.Duration(r.IntN(100*2)) * grid
	if r.IntN(2) == 0 {
		ago += time.Duration(r.Int64N(int64(grid))).Truncate(time.Millisecond)
	}
	return doraNow.Add(-ago)
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomHistory(r *rand.Rand) history {
	var h history
	for i := range r.IntN(20) {
		d := pastDeployment{
			project: pick(r, "api", "shop", "web"), environment: pick(r, "production", "staging"),
			team: pick(r, "", "blue", "red"), id: fmt.Sprint(i), rework: r.IntN(4) == 0, late: r.IntN(4) == 0, failed: r.IntN(6) == 0,
		}
		d.start = randomDate(r)
		d.commit = d.start.Add(-time.Duration(r.IntN(40*3600)) * time.Second)
		switch r.IntN(8) {
		case 0: // never deployed
			if r.IntN(2) == 0 {
				d.aborted = soonAfter(r, d.start)
				d.start = pick(r, d.start, d.start, time.Time{})
			}
		case 1: // clocks disagree
			d.deployed = d.start.Add(-time.Duration(r.IntN(300)) * time.Second)
			d.commit = d.deployed.Add(time.Duration(r.IntN(300)) * time.Second)
			if d.commit.Sub(d.start) > 5*time.Minute {
				d.commit = d.start
			}
		case 2: // the start was never told
			d.deployed, d.start = d.start, time.Time{}
		case 3: // aborted, then deployed by a second attempt
			d.aborted = soonAfter(r, d.start)
			d.deployed = soonAfter(r, d.aborted)
		default:
			d.deployed = d.start.Add(time.Duration(r.IntN(90*60)) * time.Second)
			if d.deployed.After(doraNow) {
				d.deployed = doraNow
			}
		}
		d.rollback = !d.start.IsZero() && !d.deployed.IsZero() && r.IntN(4) == 0
		if r.IntN(8) == 0 {
			d.commit = time.Time{}
		} else if r.IntN(2) == 0 {
			for i := range 1 + r.IntN(4) {
				d.commits = append(d.commits, d.commit.Add(time.Duration(i*r.IntN(7200))*time.Second))
			}
		}
		h.deployments = append(h.deployments, d)
	}
	for i := range r.IntN(10) {
		n := pastIncident{
			project: pick(r, "api", "shop", "web"), environment: pick(r, "production", "staging"),
			team: pick(r, "", "blue", "red"), id: fmt.Sprint(i), started: randomDate(r), later: r.IntN(2) == 0,
		}
		if len(h.deployments) > 0 && r.IntN(4) > 0 {
			d := pick(r, h.deployments...)
			n.project, n.environment, n.deployment = d.project, d.environment, d.id
		}
		switch r.IntN(5) {
		case 0: // still open
		case 1:
			n.restored = n.started.Add(-time.Duration(r.IntN(300)) * time.Second)
		default:
			n.restored = n.started.Add(time.Duration(r.IntN(100*3600)) * time.Second)
			if r.IntN(2) == 0 {
				n.restored = n.started.Add(time.Duration(r.IntN(8)) * grid)
			}
			if n.restored.After(doraNow) {
				n.restored = doraNow
			}
		}
		h.incidents = append(h.incidents, n)
	}
	h.rollBack()
	return h
}

// soonAfter falls within a few days, but not in the future.
func soonAfter(r *rand.Rand, at time.Time) time.Time {
	at = at.Add(time.Duration(r.IntN(8)) * grid)
	if at.After(doraNow) {
		return doraNow
	}
	return at
}

func (h history) store(t *testing.T, s *db.Store) {
	t.Helper()
	var commands, late []db.Command
	var rollbacks []db.FinishDeployment
	for _, d := range h.deployments {
		start := db.StartDeployment{
			Key:           db.Key{Project: d.project, Environment: d.environment, ID: d.id},
			FirstCommitAt: d.commit, FirstCommitUnknown: d.commit.IsZero(), DeployStartAt: d.start, Rework: d.rework, Failed: d.failed,
			Team: func(string) string { return d.team },
		}
		for i, at := range d.commits {
			start.Commits = append(start.Commits, db.Commit{Name: fmt.Sprint("c", i), At: at})
		}
		finish := db.FinishDeployment{
			Ref: db.Ref{ID: d.id, Project: d.project, Environment: d.environment}, DeployedAt: d.deployed,
		}
		abort := db.AbortDeployment{Ref: finish.Ref, At: d.aborted}
		if d.start.IsZero() {
			finish.Create, abort.Create = &start, &start
		} else {
			commands = append(commands, start)
		}
		if !d.aborted.IsZero() {
			commands = append(commands, abort)
		}
		switch {
		case d.deployed.IsZero():
		case d.rollback:
			finish.Rollback = db.NullBool{V: true, Valid: true}
			rollbacks = append(rollbacks, finish)
		case d.late && !d.start.IsZero():
			late = append(late, finish)
		default:
			commands = append(commands, finish)
		}
	}
	for _, i := range h.incidents {
		open := db.OpenIncident{
			Key:          db.Key{Project: i.project, Environment: i.environment, ID: i.id},
			DeploymentID: i.deployment, StartedAt: i.started, RestoredAt: i.restored,
			Team: func(string) string { return i.team },
		}
		if i.automatic {
			open.RestoredAt = time.Time{}
		}
		if i.later {
			first := open
			first.DeploymentID, first.RestoredAt = "", time.Time{}
			commands = append(commands, first)
		}
		commands = append(commands, open)
	}
	if commands = append(commands, late...); len(commands) == 0 {
		return
	}
	slices.SortStableFunc(rollbacks, func(a, b db.FinishDeployment) int { return a.DeployedAt.Compare(b.DeployedAt) })
	for _, c := range rollbacks { // when everything that they replace is recorded
		commands = append(commands, c)
	}
	if _, err := s.Do(context.Background(), commands...); err != nil {
		t.Fatalf("store %+v: %v", h, err)
	}
}

// dates are all that a history has, the edges where mistakes show.
func (h history) dates() (dates []time.Time) {
	for _, d := range h.deployments {
		dates = append(dates, d.start, d.aborted, d.deployed)
	}
	for _, i := range h.incidents {
		dates = append(dates, i.started, i.restored)
	}
	return slices.DeleteFunc(dates, time.Time.IsZero)
}

func randomQuery(r *rand.Rand, h history) dora.Query {
	zones := []string{"", "UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "America/Havana"}
	from, to := randomDate(r), randomDate(r)
	if dates := h.dates(); len(dates) > 0 {
		from, to = pick(r, from, pick(r, dates...)), pick(r, to, pick(r, dates...))
	}
	if from.After(to) {
		from, to = to, from
	}
	if from.Equal(to) {
		to = to.Add(grid)
	}
	q := dora.Query{
		From: from, To: to,
		GroupBy:  dora.GroupBy{Project: r.IntN(2) == 0, Team: r.IntN(2) == 0, Environment: r.IntN(2) == 0},
		Interval: pick(r, dora.NoInterval, dora.Daily, dora.Weekly, dora.Monthly),
	}
	if r.IntN(4) == 0 {
		q.Environments = pick(r, dora.Environments{"prod*"}, dora.Environments{"live", "s*g"}, dora.Environments{"live"})
	}
	q.RecoveryFrom = pick(r, dora.FromIncident, dora.FromDeployment)
	if zone := pick(r, zones...); zone != "" {
		location, err := time.LoadLocation(zone)
		if err != nil {
			panic(err)
		}
		q.Location = location
	}
	if r.IntN(4) == 0 {
		q.Project = "api"
	}
	if r.IntN(4) == 0 {
		q.Team = "blue"
	}
	if r.IntN(4) == 0 {
		q.Environment = "production"
	}
	return q
}

func TestDoraSixIncidentsOnFourOfTwentyThreeDeployments(t *testing.T) {
	s := openAt(t, at(doraNow))
	var h history
	for i := range 23 {
		deployed := doraNow.Add(-time.Duration(i+1) * 24 * time.Hour)
		h.deployments = append(h.deployments, pastDeployment{
			project: "shop", environment: "production", id: fmt.Sprint(i),
			commit: deployed.Add(-2 * time.Hour), start: deployed.Add(-time.Hour), deployed: deployed,
		})
	}
	for i, d := range []string{"3", "3", "8", "8", "15", "21"} {
		h.incidents = append(h.incidents, pastIncident{
			project: "shop", environment: "production", id: fmt.Sprint(i), deployment: d,
			started: doraNow.Add(-time.Hour), restored: doraNow,
		})
	}
	h.store(t, s)
	from, to := s.Window(30 * 24 * time.Hour)
	groups, err := s.Dora(context.Background(), dora.Query{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	got := groups[0]
	failures, _ := dora.Find(dora.ChangeFailureRate)
	ratio, _ := failures.Value(got.Totals).Ratio()
	if fmt.Sprintf("%.1f %%", ratio*100) != "17.4 %" || got.FailedDeployments != 4 || got.Incidents != 6 {
		t.Errorf("got %+v", got)
	}
	if got.FailedDeploymentRecovery.Samples != 4 || got.FailedDeploymentRecovery.P50 != time.Hour {
		t.Errorf("recovery %+v", got.FailedDeploymentRecovery)
	}
}

func TestDoraOfNothingIsUndefined(t *testing.T) {
	s := openAt(t, at(doraNow))
	from, to := s.Window(24 * time.Hour)
	got, err := s.Dora(context.Background(), dora.Query{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	if want := []dora.Group{{Totals: dora.Totals{Length: 24 * time.Hour}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want one group of nothing", got)
	}
	grouped, err := s.Dora(context.Background(), dora.Query{From: from, To: to, GroupBy: dora.GroupBy{Project: true}})
	if err != nil || len(grouped) != 0 {
		t.Errorf("got %+v, %v, want no groups", grouped, err)
	}
}

func TestDoraRefusesAnAnswerTooLarge(t *testing.T) {
	s := openAt(t, at(doraNow))
	var h history
	for i := range 400 {
		h.deployments = append(h.deployments, pastDeployment{
			project: fmt.Sprint("project-", i), environment: "e", id: "1",
			commit: doraNow, start: doraNow, deployed: doraNow,
		})
	}
	h.store(t, s)
	_, err := s.Dora(context.Background(), dora.Query{
		From: doraNow.AddDate(-1, 0, 0), To: doraNow.Add(time.Second), Interval: dora.Daily, GroupBy: dora.GroupBy{Project: true},
	})
	if !db.HasCode(err, db.Invalid) {
		t.Errorf("got %v, want an Invalid error", err)
	}
}
