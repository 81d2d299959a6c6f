package db

import (
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// record is a deployment of a commit that is recorded when it is over.
func record(k, commit, at string) FinishDeployment {
	return FinishDeployment{Ref: refTo(k), Commit: commit, DeployedAt: clock(at),
		Create: &StartDeployment{Key: key(k), FirstCommitAt: clock("08:00")}}
}

func open(k, deployment, at string) OpenIncident {
	return OpenIncident{Key: key(k), DeploymentID: deployment, StartedAt: clock(at)}
}

func TestRollbacks(t *testing.T) {
	told := func(c FinishDeployment, rollback bool) FinishDeployment {
		c.Rollback = NullBool{V: rollback, Valid: true}
		return c
	}
	failed := record("web/prod/1", "v1", "10:00")
	failed.Failed = true
	tell(t, []story{
		{
			name: "A, B, A, B has one rollback",
			steps: []step{
				{"12:00", record("web/prod/1", "aaaaaaa1", "10:00"), "created web/prod/1 commit 08:00 deployed 10:00 revision aaaaaaa1"},
				{"12:00", record("web/prod/2", "bbbbbbb2", "10:10"), "created web/prod/2 commit 08:00 deployed 10:10 revision bbbbbbb2"},
				{"12:00", record("web/prod/3", "aaaaaaa", "10:20"), "created web/prod/3 deployed 10:20 rework revision aaaaaaa no lead time: rollback"},
				{"12:00", record("web/prod/4", "bbbbbbb2ff", "10:30"), "created web/prod/4 deployed 10:30 revision bbbbbbb2ff no lead time: redeployment"},
				{"12:00", record("web/prod/5", "ccccccc3", "10:40"), "created web/prod/5 commit 08:00 deployed 10:40 revision ccccccc3"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00", "deployment_deployed web/prod/1 at 10:00 lead 2h0m0s",
				"deployment_started web/prod/2 at 10:10", "deployment_deployed web/prod/2 at 10:10 lead 2h10m0s",
				"deployment_started web/prod/3 at 10:20", "deployment_deployed web/prod/3 at 10:20",
				"change_failed web/prod/2 at 10:20",
				"deployment_started web/prod/4 at 10:30", "deployment_deployed web/prod/4 at 10:30",
				"deployment_started web/prod/5 at 10:40", "deployment_deployed web/prod/5 at 10:40 lead 2h40m0s",
			},
		},
		{
			name: "the open incidents of what is rolled back are restored, and it fails once",
			steps: []step{
				{"12:00", record("web/prod/1", "v1", "10:00"), "created web/prod/1 commit 08:00 deployed 10:00 revision v1"},
				{"12:00", record("web/prod/2", "v2", "10:10"), "created web/prod/2 commit 08:00 deployed 10:10 revision v2"},
				{"12:00", open("web/prod/a", "2", "10:15"), "created web/prod/a by 2 started 10:15"},
				{"12:00", open("web/prod/b", "2", "10:12"), "created web/prod/b by 2 started 10:12"},
				{"12:00", open("web/prod/c", "2", "11:00"), "created web/prod/c by 2 started 11:00"}, // after the rollback
				{"12:00", open("web/prod/d", "1", "10:05"), "created web/prod/d by 1 started 10:05"},
				{"12:00", record("web/prod/3", "v1", "10:20"), "created web/prod/3 deployed 10:20 rework revision v1 no lead time: rollback"},
				{"12:00", RestoreIncident{Ref: refTo("web/prod/a")}, "known web/prod/a by 2 started 10:15 restored 10:20"},
				{"12:00", RestoreIncident{Ref: refTo("web/prod/a"), At: clock("10:25")}, "known web/prod/a by 2 started 10:15 restored 10:25"},
				{"12:00", RestoreIncident{Ref: refTo("web/prod/a"), At: clock("10:26")},
					"conflict: the incident already exists with different values; restored_at is already recorded as 2026-03-04T10:25:00.000Z; send the same value or omit the field"},
				{"12:00", FinishIncident{Ref: refTo("web/prod/b"), At: clock("10:18")}, "known web/prod/b by 2 started 10:12 restored 10:18 finished 10:18"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00", "deployment_deployed web/prod/1 at 10:00 lead 2h0m0s",
				"deployment_started web/prod/2 at 10:10", "deployment_deployed web/prod/2 at 10:10 lead 2h10m0s",
				"incident_started web/prod/a at 10:15 detected 5m0s", "change_failed web/prod/2 at 10:15",
				"incident_started web/prod/b at 10:12 detected 2m0s",
				"incident_started web/prod/c at 11:00 detected 50m0s",
				"incident_started web/prod/d at 10:05 detected 5m0s", "change_failed web/prod/1 at 10:05",
				"deployment_started web/prod/3 at 10:20", "deployment_deployed web/prod/3 at 10:20",
				"incident_restored web/prod/b at 10:20 restored 8m0s",
				"incident_restored web/prod/a at 10:20 restored 5m0s",
				"incident_finished web/prod/b at 10:18",
			},
		},
		{
			name: "the request wins",
			steps: []step{
				{"12:00", record("web/prod/1", "v1", "10:00"), "created web/prod/1 commit 08:00 deployed 10:00 revision v1"},
				{"12:00", record("web/prod/2", "v2", "10:10"), "created web/prod/2 commit 08:00 deployed 10:10 revision v2"},
				{"12:00", told(record("web/prod/3", "v1", "10:20"), false), "created web/prod/3 deployed 10:20 revision v1 no lead time: redeployment"},
				{"12:00", told(record("web/prod/4", "v0", "10:30"), true), "created web/prod/4 deployed 10:30 rework revision v0 no lead time: rollback"},
				{"12:00", StartDeployment{Key: key("web/prod/5"), Commit: "v5", Rollback: NullBool{V: true, Valid: true}, DeployStartAt: clock("10:35")},
					"created web/prod/5 start 10:35 revision v5"},
				{"12:00", finish(refTo("web/prod/5"), "10:40"), "known web/prod/5 start 10:35 deployed 10:40 rework revision v5 no lead time: rollback"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00", "deployment_deployed web/prod/1 at 10:00 lead 2h0m0s",
				"deployment_started web/prod/2 at 10:10", "deployment_deployed web/prod/2 at 10:10 lead 2h10m0s",
				"deployment_started web/prod/3 at 10:20", "deployment_deployed web/prod/3 at 10:20",
				"deployment_started web/prod/4 at 10:30", "deployment_deployed web/prod/4 at 10:30", "change_failed web/prod/3 at 10:30",
				"deployment_started web/prod/5 at 10:35", "deployment_deployed web/prod/5 at 10:40 took 5m0s", "change_failed web/prod/4 at 10:40",
			},
		},
		{
			name: "each environment has its own history, and the verdict is of what was live then",
			steps: []step{
				{"12:00", record("web/prod/1", "v1", "10:00"), "created web/prod/1 commit 08:00 deployed 10:00 revision v1"},
				{"12:00", record("web/prod/2", "v2", "10:30"), "created web/prod/2 commit 08:00 deployed 10:30 revision v2"},
				{"12:00", record("web/staging/3", "v1", "10:40"), "created web/staging/3 commit 08:00 deployed 10:40 revision v1"},
				{"12:00", record("web/prod/4", "v1", "10:20"), "created web/prod/4 deployed 10:20 revision v1 no lead time: redeployment"},
				{"12:00", record("web/prod/5", "v0", "09:00"), "created web/prod/5 commit 08:00 deployed 09:00 revision v0"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00", "deployment_deployed web/prod/1 at 10:00 lead 2h0m0s",
				"deployment_started web/prod/2 at 10:30", "deployment_deployed web/prod/2 at 10:30 lead 2h30m0s",
				"deployment_started web/staging/3 at 10:40", "deployment_deployed web/staging/3 at 10:40 lead 2h40m0s",
				"deployment_started web/prod/4 at 10:20", "deployment_deployed web/prod/4 at 10:20",
				"deployment_started web/prod/5 at 09:00", "deployment_deployed web/prod/5 at 09:00 lead 1h0m0s",
			},
		},
		{
			name: "a deployment is said to have failed, once",
			steps: []step{
				{"12:00", failed, "created web/prod/1 commit 08:00 deployed 10:00 revision v1 failed by request"},
				{"12:00", open("web/prod/a", "1", "10:15"), "created web/prod/a by 1 started 10:15"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00", "deployment_deployed web/prod/1 at 10:00 lead 2h0m0s", "change_failed web/prod/1 at 10:00",
				"incident_started web/prod/a at 10:15 detected 15m0s",
			},
		},
	})
}

func TestRollbacksAreNotLookedFor(t *testing.T) {
	now := clock("12:00")
	s := openStore(t, t.TempDir()+"/em-metrics.db", Options{Now: func() time.Time { return now }, IgnoreRollbacks: true})
	for i, want := range []string{
		"created web/prod/1 commit 08:00 deployed 10:00 revision v1",
		"created web/prod/2 commit 08:00 deployed 10:01 revision v2",
		"created web/prod/3 deployed 10:02 revision v1 no lead time: redeployment",
	} {
		c := record("web/prod/"+string(rune('1'+i)), []string{"v1", "v2", "v1"}[i], "10:0"+string(rune('0'+i)))
		if got := answer(s.Do(t.Context(), c)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestRecoveryByRollback compares the recovery time of what was rolled back without an
// incident and with one.
func TestRecoveryByRollback(t *testing.T) {
	s, _ := newStore(t)
	for _, c := range []Command{
		record("web/prod/1", "v1", "09:00"), record("web/prod/2", "v2", "10:00"), record("web/prod/3", "v1", "10:20"),
		record("web/prod/4", "v4", "11:00"), open("web/prod/a", "4", "11:05"), record("web/prod/5", "v1", "11:15"),
	} {
		if _, err := s.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	q := dora.Query{From: clock("00:00"), To: clock("12:00")}
	for from, want := range map[dora.RecoveryStart][]string{dora.FromIncident: {"4 10m0s", "2 20m0s"}, dora.FromDeployment: {"4 15m0s", "2 20m0s"}} {
		q.RecoveryFrom = from
		groups, err := s.Dora(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if g := groups[0]; g.FailedDeployments != 2 || g.ReworkDeployments != 2 || g.FailedDeploymentRecovery.Samples != 2 || g.LeadTime.Samples != 3 {
			t.Errorf("%+v", g.Totals)
		}
		evidence, _, err := s.Explain(t.Context(), dora.FailedDeploymentRecoveryTime, q, Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range evidence {
			got = append(got, e.Deployment.ID+" "+e.Value.V.String())
		}
		expect(t, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
