package db

import (
	"testing"
	"time"
)

// start is a deployment of which only the necessary is told.
func start(k, firstCommit, deployStart string) StartDeployment {
	return StartDeployment{Key: key(k), FirstCommitAt: clock(firstCommit), DeployStartAt: clock(deployStart)}
}

func finish(ref Ref, at string) FinishDeployment {
	return FinishDeployment{Ref: ref, DeployedAt: clock(at)}
}

// refTo names exactly one.
func refTo(k string) Ref {
	return refOf(key(k))
}

func TestDeployments(t *testing.T) {
	planned := start("web/prod/1", "08:00", "10:00")
	planned.DeployedAt = clock("10:20")
	tell(t, []story{
		{
			name: "started, then deployed",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:05", finish(refTo("web/prod/1"), ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:05 lead 2h5m0s took 5m0s",
			},
		},
		{
			name: "each step is repeated, with and without its dates",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", "10:00"), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", start("web/prod/1", "08:00", "10:00"), "known web/prod/1 commit 08:00 start 10:00"},
				{"10:02", start("web/prod/1", "08:00", ""), "known web/prod/1 commit 08:00 start 10:00"},
				{"10:05", finish(Ref{ID: "1"}, "10:04"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
				{"10:06", finish(Ref{ID: "1"}, "10:04"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
				{"10:07", finish(Ref{ID: "1"}, ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
				{"10:08", start("web/prod/1", "08:00", ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:04 lead 2h4m0s took 4m0s",
			},
		},
		{
			name: "contradictions are refused and change nothing",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", "10:00"), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", start("web/prod/1", "08:01", ""), "conflict: the deployment already exists with different values; " +
					"first_commit_at is already recorded as 2026-03-04T08:00:00.000Z; send the same value or omit the field"},
				{"10:01", start("web/prod/1", "08:00", "09:59"), "conflict: the deployment already exists with different values; " +
					"deploy_start_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
				{"10:04", finish(Ref{ID: "1"}, "10:04"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, FirstCommitAt: clock("08:01")}, "conflict: the deployment already exists with different values; " +
					"first_commit_at is already recorded as 2026-03-04T08:00:00.000Z; send the same value or omit the field"},
				{"10:05", planned, "conflict: the deployment already exists with different values; " +
					"deployed_at is already recorded as 2026-03-04T10:04:00.000Z; send the same value or omit the field"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:04 lead 2h4m0s took 4m0s",
			},
		},
		{
			name: "a job that runs again states another date, and the recorded one stays",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", "10:00"), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:04", finish(Ref{ID: "1"}, "10:04"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
				{"10:30", finish(Ref{ID: "1"}, "10:30"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
				{"10:31", finish(Ref{ID: "1"}, "07:00"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
				{"10:32", FinishDeployment{Ref: Ref{ID: "1"}, FirstCommitAt: clock("08:00"), DeployedAt: clock("10:32")},
					"known web/prod/1 commit 08:00 start 10:00 deployed 10:04"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:04 lead 2h4m0s took 4m0s",
			},
		},
		{
			name: "a contradiction is found before a disorder",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", "10:00"), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", start("web/prod/1", "11:30", "10:00"), "conflict: the deployment already exists with different values; " +
					"first_commit_at is already recorded as 2026-03-04T08:00:00.000Z; send the same value or omit the field"},
			},
			events: []string{"deployment_started web/prod/1 at 10:00"},
		},
		{
			name: "a planned date is used by a later step without one",
			steps: []step{
				{"10:30", planned, "created web/prod/1 commit 08:00 start 10:00"},
				{"10:40", finish(Ref{ID: "1"}, ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:20"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:20 lead 2h20m0s took 20m0s",
			},
		},
		{
			name: "a planned date may come later, and once",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", "10:00"), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:30", planned, "known web/prod/1 commit 08:00 start 10:00"},
				{"10:30", StartDeployment{Key: key("web/prod/1"), FirstCommitAt: clock("08:00"), DeployedAt: clock("10:25")},
					"conflict: the deployment already exists with different values; " +
						"deployed_at is already recorded as 2026-03-04T10:20:00.000Z; send the same value or omit the field"},
				{"10:40", finish(Ref{ID: "1"}, ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:20"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:20 lead 2h20m0s took 20m0s",
			},
		},
		{
			name: "a planned date that comes later is checked against what is recorded",
			steps: []step{
				{"10:30", start("web/prod/1", "08:00", "10:30"), "created web/prod/1 commit 08:00 start 10:30"},
				{"10:31", StartDeployment{Key: key("web/prod/1"), FirstCommitAt: clock("08:00"), DeployedAt: clock("10:20")},
					"invalid: the dates are out of order; " +
						"deployed_at is 2026-03-04T10:20:00.000Z, which must not be before deploy_start_at (2026-03-04T10:30:00.000Z); " +
						"deploy_start_at is 2026-03-04T10:30:00.000Z, which must not be after deployed_at"},
			},
			events: []string{"deployment_started web/prod/1 at 10:30"},
		},
		{
			name: "the real date wins over the planned one, and both may be repeated",
			steps: []step{
				{"10:30", planned, "created web/prod/1 commit 08:00 start 10:00"},
				{"10:40", finish(Ref{ID: "1"}, "10:35"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:35"},
				{"10:50", planned, "known web/prod/1 commit 08:00 start 10:00 deployed 10:35"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:35 lead 2h35m0s took 35m0s",
			},
		},
		{
			name: "rework is filled in",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", StartDeployment{Key: key("web/prod/1"), FirstCommitAt: clock("08:00"), Rework: true},
					"known web/prod/1 commit 08:00 start 10:00 rework"},
				{"10:02", start("web/prod/1", "08:00", ""), "known web/prod/1 commit 08:00 start 10:00 rework"},
			},
			events: []string{"deployment_started web/prod/1 at 10:00"},
		},
		{
			name: "rework is filled in when it is deployed, or later",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", FinishDeployment{Ref: Ref{ID: "1"}, Rework: true},
					"known web/prod/1 commit 08:00 start 10:00 deployed 10:01 rework"},
				{"10:02", start("web/prod/2", "08:00", ""), "created web/prod/2 commit 08:00 start 10:02"},
				{"10:03", finish(Ref{ID: "2"}, ""), "known web/prod/2 commit 08:00 start 10:02 deployed 10:03"},
				{"10:04", FinishDeployment{Ref: Ref{ID: "2"}, Rework: true},
					"known web/prod/2 commit 08:00 start 10:02 deployed 10:03 rework"},
				{"10:05", finish(Ref{ID: "2"}, ""), "known web/prod/2 commit 08:00 start 10:02 deployed 10:03 rework"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:01 lead 2h1m0s took 1m0s",
				"deployment_started web/prod/2 at 10:02",
				"deployment_deployed web/prod/2 at 10:03 lead 2h3m0s took 1m0s",
			},
		},
		{
			name: "dates are kept to the millisecond",
			steps: []step{
				{"10:00", StartDeployment{Key: key("web/prod/1"), FirstCommitAt: clock("08:00:00.0019").In(time.FixedZone("", 3600))},
					"created web/prod/1 commit 08:00:00.001 start 10:00"},
				{"10:01", start("web/prod/1", "08:00:00.001", ""), "known web/prod/1 commit 08:00:00.001 start 10:00"},
				{"10:01", finish(Ref{ID: "1"}, "10:00:00.5009"), "known web/prod/1 commit 08:00:00.001 start 10:00 deployed 10:00:00.5"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:00:00.5 lead 2h0m0.499s took 500ms",
			},
		},
	})
}

func TestDeploymentFirstHeardOfWhenDeployed(t *testing.T) {
	create := func(k, firstCommit, deployStart string) *StartDeployment {
		c := start(k, firstCommit, deployStart)
		return &c
	}
	tell(t, []story{
		{
			name: "with its start",
			steps: []step{
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, Create: create("web/prod/1", "08:00", "10:00")},
					"created web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
				{"10:06", FinishDeployment{Ref: Ref{ID: "1"}, Create: create("web/prod/1", "08:00", "10:00")},
					"known web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
				{"10:07", start("web/prod/1", "08:00", "10:00"), "known web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:05 lead 2h5m0s took 5m0s",
			},
		},
		{
			name: "without its start no deployment duration is measured",
			steps: []step{
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, DeployedAt: clock("10:03"), Create: create("web/prod/1", "08:00", "")},
					"created web/prod/1 commit 08:00 deployed 10:03"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:03",
				"deployment_deployed web/prod/1 at 10:03 lead 2h3m0s",
			},
		},
		{
			name: "known: what is recorded counts",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, Create: create("web/prod/1", "07:00", "")},
					"known web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:05 lead 2h5m0s took 5m0s",
			},
		},
		{
			name: "refused while something is missing, and nothing is stored",
			steps: []step{
				{"10:05", finish(Ref{ID: "1"}, ""), `not found: no such deployment; id "1" does not match any deployment`},
				{"10:05", finish(Ref{ID: "1", Project: "web", Environment: "prod"}, ""),
					`not found: no such deployment; id "1" does not match any deployment in project_id "web" in environment "prod"`},
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, Create: &StartDeployment{Key: Key{ID: "1", Environment: "prod"}}},
					"missing: a required field is missing; project_id is required, because the deployment is not recorded yet; " +
						"first_commit_at is required, because the deployment is not recorded yet"},
				{"10:05", StartDeployment{Key: Key{Project: "web"}},
					"missing: a required field is missing; id is required, because the deployment is not recorded yet; " +
						"environment is required, because the deployment is not recorded yet; " +
						"first_commit_at is required, because the deployment is not recorded yet"},
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, Create: create("web/prod/1", "11:00", "")},
					"invalid: the values are inconsistent; " +
						"first_commit_at is 2026-03-04T11:00:00.000Z, which is in the future: the time is now 2026-03-04T10:05:00.000Z"},
			},
		},
	})
}

func TestDeploymentsOfOneID(t *testing.T) {
	const everywhere = `project_id "api" in environment "prod"; project_id "web" in environment "prod"; ` +
		`project_id "web" in environment "staging"`
	tell(t, []story{{
		name: "in two projects and in two environments",
		steps: []step{
			{"10:00", start("web/staging/1", "08:00", ""), "created web/staging/1 commit 08:00 start 10:00"},
			{"10:00", start("web/prod/1", "08:30", ""), "created web/prod/1 commit 08:30 start 10:00"},
			{"10:00", start("api/prod/1", "09:00", ""), "created api/prod/1 commit 09:00 start 10:00"},
			{"10:05", finish(Ref{ID: "1"}, ""), "ambiguous: several deployments have this id; " +
				"project_id must be one of: " + everywhere},
			{"10:05", finish(Ref{ID: "1", Project: "web"}, ""), "ambiguous: several deployments have this id; " +
				`environment must be one of: project_id "web" in environment "prod"; project_id "web" in environment "staging"`},
			{"10:05", finish(Ref{ID: "1", Environment: "prod"}, ""), "ambiguous: several deployments have this id; " +
				`project_id must be one of: project_id "api" in environment "prod"; project_id "web" in environment "prod"`},
			{"10:05", finish(Ref{ID: "1", Project: "api"}, ""), "known api/prod/1 commit 09:00 start 10:00 deployed 10:05"},
			{"10:06", finish(Ref{ID: "1", Environment: "staging"}, ""), "known web/staging/1 commit 08:00 start 10:00 deployed 10:06"},
			{"10:07", finish(refTo("web/prod/1"), ""), "known web/prod/1 commit 08:30 start 10:00 deployed 10:07"},
		},
		events: []string{
			"deployment_started web/staging/1 at 10:00",
			"deployment_started web/prod/1 at 10:00",
			"deployment_started api/prod/1 at 10:00",
			"deployment_deployed api/prod/1 at 10:05 lead 1h5m0s took 5m0s",
			"deployment_deployed web/staging/1 at 10:06 lead 2h6m0s took 6m0s",
			"deployment_deployed web/prod/1 at 10:07 lead 1h37m0s took 7m0s",
		},
	}})
}

func TestDatesOfDeployments(t *testing.T) {
	tell(t, []story{
		{
			name: "five minutes of disorder count as zero",
			steps: []step{
				{"10:00", start("web/prod/1", "10:05", "10:00"), "created web/prod/1 commit 10:05 start 10:00"},
				{"10:01", finish(Ref{ID: "1"}, "10:00"), "known web/prod/1 commit 10:05 start 10:00 deployed 10:00"},
				{"10:00", start("web/prod/2", "09:00", "10:05"), "created web/prod/2 commit 09:00 start 10:05"},
				{"10:00", finish(Ref{ID: "2"}, ""), "known web/prod/2 commit 09:00 start 10:05 deployed 10:00"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:00 lead 0s took 0s",
				"deployment_started web/prod/2 at 10:05",
				"deployment_deployed web/prod/2 at 10:00 lead 1h0m0s took 0s",
			},
		},
		{
			name: "more is refused, and both fields are named",
			steps: []step{
				{"12:00", start("web/prod/1", "10:05:00.001", "10:00"), "invalid: the dates are out of order; " +
					"deploy_start_at is 2026-03-04T10:00:00.000Z, which must not be before first_commit_at (2026-03-04T10:05:00.001Z); " +
					"first_commit_at is 2026-03-04T10:05:00.001Z, which must not be after deploy_start_at"},
				{"12:00", start("web/prod/1", "10:00", "11:00"), "created web/prod/1 commit 10:00 start 11:00"},
				{"12:00", finish(Ref{ID: "1"}, "10:54:59.999"), "invalid: the dates are out of order; " +
					"deployed_at is 2026-03-04T10:54:59.999Z, which must not be before deploy_start_at (2026-03-04T11:00:00.000Z); " +
					"deploy_start_at is 2026-03-04T11:00:00.000Z, which must not be after deployed_at"},
				// Each step is within the tolerance of the one before, the whole is not.
				{"12:00", FinishDeployment{Ref: Ref{ID: "2"}, DeployedAt: clock("10:00"), Create: &StartDeployment{
					Key: key("web/prod/2"), FirstCommitAt: clock("10:08"), DeployStartAt: clock("10:04")}},
					"invalid: the dates are out of order; " +
						"deployed_at is 2026-03-04T10:00:00.000Z, which must not be before first_commit_at (2026-03-04T10:08:00.000Z); " +
						"first_commit_at is 2026-03-04T10:08:00.000Z, which must not be after deployed_at"},
			},
			events: []string{"deployment_started web/prod/1 at 11:00"},
		},
		{
			name: "the future and the distant past are refused",
			steps: []step{
				{"10:00", start("web/prod/1", "09:00", "10:05"), "created web/prod/1 commit 09:00 start 10:05"},
				{"10:00", finish(Ref{ID: "1"}, "10:05:00.001"), "invalid: the values are inconsistent; " +
					"deployed_at is 2026-03-04T10:05:00.001Z, which is in the future: the time is now 2026-03-04T10:00:00.000Z"},
				{"10:00", start("web/prod/2", "09:00", "10:05:00.001"), "invalid: the values are inconsistent; " +
					"deploy_start_at is 2026-03-04T10:05:00.001Z, which is in the future: the time is now 2026-03-04T10:00:00.000Z"},
				{"10:00", StartDeployment{Key: key("web/prod/2"), FirstCommitAt: time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)},
					"invalid: the values are inconsistent; " +
						"first_commit_at is 1969-12-31T23:59:59.000Z; dates before 1970 are not accepted"},
			},
			events: []string{"deployment_started web/prod/1 at 10:05"},
		},
	})
}

func TestTeamsOfDeployments(t *testing.T) {
	with := func(c StartDeployment, ask TeamFunc, fill bool) StartDeployment {
		c.Team, c.FillTeam = ask, fill
		return c
	}
	tell(t, []story{
		{
			name: "the team is resolved once",
			steps: []step{
				{"10:00", with(start("web/prod/1", "08:00", ""), team("blue"), false), "created web/prod/1 of blue commit 08:00 start 10:00"},
				{"10:01", with(start("web/prod/1", "08:00", ""), team("red"), true), "known web/prod/1 of blue commit 08:00 start 10:00"},
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, Team: team("red")}, "known web/prod/1 of blue commit 08:00 start 10:00 deployed 10:05"},
			},
			events: []string{
				"deployment_started web/prod/1 of blue at 10:00",
				"deployment_deployed web/prod/1 of blue at 10:05 lead 2h5m0s took 5m0s",
			},
		},
		{
			name: "an unknown one is filled in when a user is named, by the project that is recorded",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", with(start("web/prod/1", "08:00", ""), team("blue"), false), "known web/prod/1 commit 08:00 start 10:00"},
				{"10:02", with(start("web/prod/1", "08:00", ""), team(""), true), "known web/prod/1 commit 08:00 start 10:00"},
				{"10:05", FinishDeployment{Ref: Ref{ID: "1"}, Team: func(project string) string { return project + "-team" }},
					"known web/prod/1 of web-team commit 08:00 start 10:00 deployed 10:05"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 of web-team at 10:05 lead 2h5m0s took 5m0s",
			},
		},
		{
			name: "a step that adds nothing else fills it in too",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", finish(Ref{ID: "1"}, ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:01"},
				{"10:02", FinishDeployment{Ref: Ref{ID: "1"}, Team: team("blue")}, "known web/prod/1 of blue commit 08:00 start 10:00 deployed 10:01"},
				{"10:03", start("web/prod/1", "08:00", ""), "known web/prod/1 of blue commit 08:00 start 10:00 deployed 10:01"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:01 lead 2h1m0s took 1m0s",
			},
		},
	})
}
