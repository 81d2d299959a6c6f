package db

import "testing"

func TestLinkingIncidents(t *testing.T) {
	tell(t, []story{
		{
			name: "a deployment fails once, by its first incident",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:05", finish(Ref{ID: "1"}, ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
				{"10:20", incident("web/prod/a", "1", ""), "created web/prod/a by 1 started 10:20"},
				{"10:21", incident("web/prod/a", "1", ""), "known web/prod/a by 1 started 10:20"},
				{"10:30", incident("web/prod/b", "1", "10:25"), "created web/prod/b by 1 started 10:25"},
				{"10:31", incident("web/prod/b", "", ""), "known web/prod/b by 1 started 10:25"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:05 lead 2h5m0s took 5m0s",
				"incident_started web/prod/a at 10:20 detected 15m0s",
				"change_failed web/prod/1 at 10:20",
				"incident_started web/prod/b at 10:25 detected 20m0s",
			},
		},
		{
			name: "later, once, and to one deployment only",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:05", finish(Ref{ID: "1"}, ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
				{"10:06", start("web/prod/2", "08:00", ""), "created web/prod/2 commit 08:00 start 10:06"},
				{"10:20", incident("web/prod/a", "", ""), "created web/prod/a started 10:20"},
				{"10:40", incident("web/prod/a", "1", ""), "known web/prod/a by 1 started 10:20"},
				{"10:41", until("10:30", "", incident("web/prod/a", "1", "")), "known web/prod/a by 1 started 10:20 restored 10:30"},
				{"10:42", incident("web/prod/a", "2", ""), incidentContradicted + `deployment_id is already recorded as "1"; send the same value or omit the field`},
				{"10:43", incident("web/prod/a", "9", ""), incidentContradicted + `deployment_id is already recorded as "1"; send the same value or omit the field`},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"deployment_deployed web/prod/1 at 10:05 lead 2h5m0s took 5m0s",
				"deployment_started web/prod/2 at 10:06",
				"incident_started web/prod/a at 10:20",
				"incident_linked web/prod/a at 10:20 detected 15m0s",
				"change_failed web/prod/1 at 10:20",
				"incident_restored web/prod/a at 10:30 restored 10m0s",
			},
		},
		{
			name: "to a deployment that is not deployed, or was after: no time to detect, or zero",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", incident("web/prod/a", "1", ""), "created web/prod/a by 1 started 10:01"},
				{"10:05", finish(Ref{ID: "1"}, ""), "known web/prod/1 commit 08:00 start 10:00 deployed 10:05"},
				{"10:06", incident("web/prod/b", "1", "10:04"), "created web/prod/b by 1 started 10:04"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"incident_started web/prod/a at 10:01",
				"change_failed web/prod/1 at 10:01",
				"deployment_deployed web/prod/1 at 10:05 lead 2h5m0s took 5m0s",
				"incident_started web/prod/b at 10:04 detected 0s",
			},
		},
		{
			name: "to a deployment that is unknown, or another project's, is refused",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:01", incident("web/staging/a", "1", ""), "invalid: the values are inconsistent; deployment_id " +
					`"1" does not match any deployment in project_id "web" in environment "staging"; record the deployment first, or omit deployment_id`},
				{"10:01", incidentAnywhere("api/prod/a", "1", ""), "invalid: the values are inconsistent; deployment_id " +
					`"1" does not match any deployment in project_id "api"; record the deployment first, or omit deployment_id`},
			},
			events: []string{"deployment_started web/prod/1 at 10:00"},
		},
		{
			name: "the failed change carries the team of the deployment",
			steps: []step{
				{"10:00", StartDeployment{Key: key("web/prod/1"), FirstCommitAt: clock("08:00"), Team: team("blue")},
					"created web/prod/1 of blue commit 08:00 start 10:00"},
				{"10:01", OpenIncident{Key: key("web/prod/a"), DeploymentID: "1", Team: team("red")}, "created web/prod/a of red by 1 started 10:01"},
			},
			events: []string{
				"deployment_started web/prod/1 of blue at 10:00",
				"incident_started web/prod/a of red at 10:01",
				"change_failed web/prod/1 of blue at 10:01",
			},
		},
	})
}

func TestTeamsOfIncidents(t *testing.T) {
	tell(t, []story{{
		name: "resolved once, filled in when a user is named",
		steps: []step{
			{"10:00", OpenIncident{Key: key("web/prod/a"), Team: team("blue")}, "created web/prod/a of blue started 10:00"},
			{"10:01", OpenIncident{Key: key("web/prod/a"), Team: team("red"), FillTeam: true}, "known web/prod/a of blue started 10:00"},
			{"10:02", RestoreIncident{Ref: Ref{ID: "a"}, Team: team("red")}, "known web/prod/a of blue started 10:00 restored 10:02"},
			{"10:03", incident("web/prod/b", "", ""), "created web/prod/b started 10:03"},
			{"10:04", OpenIncident{Key: key("web/prod/b"), Team: team("blue")}, "known web/prod/b started 10:03"},
			{"10:05", RestoreIncident{Ref: Ref{ID: "b"}, Team: team("red")}, "known web/prod/b of red started 10:03 restored 10:05"},
			{"10:06", incident("web/prod/c", "", ""), "created web/prod/c started 10:06"},
			{"10:07", OpenIncident{Key: key("web/prod/c"), RestoredAt: clock("10:07"), Team: team("green"), FillTeam: true},
				"known web/prod/c of green started 10:06 restored 10:07"},
			{"10:08", incident("web/prod/d", "", ""), "created web/prod/d started 10:08"},
			{"10:09", FinishIncident{Ref: Ref{ID: "d"}, Team: func(project string) string { return project + "-team" }},
				"known web/prod/d of web-team started 10:08 restored 10:09 finished 10:09"},
		},
		events: []string{
			"incident_started web/prod/a of blue at 10:00",
			"incident_restored web/prod/a of blue at 10:02 restored 2m0s",
			"incident_started web/prod/b at 10:03",
			"incident_restored web/prod/b of red at 10:05 restored 2m0s",
			"incident_started web/prod/c at 10:06",
			"incident_restored web/prod/c of green at 10:07 restored 1m0s",
			"incident_started web/prod/d at 10:08",
			"incident_restored web/prod/d of web-team at 10:09 restored 1m0s",
			"incident_finished web/prod/d of web-team at 10:09",
		},
	}})
}

// When a request names no environment, the deployment decides where its
// incident belongs. A retry must find it there, whatever happened since.
func TestEnvironmentDecidedByTheDeployment(t *testing.T) {
	inStaging := step{"10:00", start("web/staging/1", "08:00", ""), "created web/staging/1 commit 08:00 start 10:00"}
	tell(t, []story{
		{
			name: "and retried after the deployment reached production",
			steps: []step{
				inStaging,
				{"10:10", incidentAnywhere("web/prod/a", "1", ""), "created web/staging/a by 1 started 10:10"},
				{"10:20", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:20"},
				{"10:21", incidentAnywhere("web/prod/a", "1", ""), "known web/staging/a by 1 started 10:10"},
			},
			events: []string{
				"deployment_started web/staging/1 at 10:00",
				"incident_started web/staging/a at 10:10",
				"change_failed web/staging/1 at 10:10",
				"deployment_started web/prod/1 at 10:20",
			},
		},
		{
			name: "and filled in without naming the deployment again",
			steps: []step{
				inStaging,
				{"10:10", incidentAnywhere("web/prod/a", "1", ""), "created web/staging/a by 1 started 10:10"},
				{"10:30", until("10:25", "", incidentAnywhere("web/prod/a", "", "")), "known web/staging/a by 1 started 10:10 restored 10:25"},
			},
			events: []string{
				"deployment_started web/staging/1 at 10:00",
				"incident_started web/staging/a at 10:10",
				"change_failed web/staging/1 at 10:10",
				"incident_restored web/staging/a at 10:25 restored 15m0s",
			},
		},
		{
			name: "but an incident recorded elsewhere does not move",
			steps: []step{
				inStaging,
				{"10:10", incidentAnywhere("web/prod/a", "", ""), "created web/prod/a started 10:10"},
				{"10:11", incidentAnywhere("web/prod/a", "1", ""),
					incidentContradicted + `deployment_id is in environment "staging" and the incident in "prod"; omit the field`},
				{"10:12", under("k", incidentAnywhere("web/prod/", "", "")), "created web/prod/incident_web_2 started 10:12"},
				{"10:13", under("k", incidentAnywhere("web/prod/", "1", "")),
					incidentContradicted + `deployment_id is in environment "staging" and the incident in "prod"; omit the field`},
			},
			events: []string{
				"deployment_started web/staging/1 at 10:00",
				"incident_started web/prod/a at 10:10",
				"incident_started web/prod/incident_web_2 at 10:12",
			},
		},
		{
			name: "and is linked there when that was named before",
			steps: []step{
				inStaging,
				{"10:10", incident("web/staging/a", "", ""), "created web/staging/a started 10:10"},
				{"10:11", incidentAnywhere("web/prod/a", "1", ""), "known web/staging/a by 1 started 10:10"},
				{"10:12", incidentAnywhere("web/prod/b", "", ""), "created web/prod/b started 10:12"},
			},
			events: []string{
				"deployment_started web/staging/1 at 10:00",
				"incident_started web/staging/a at 10:10",
				"incident_linked web/staging/a at 10:10",
				"change_failed web/staging/1 at 10:10",
				"incident_started web/prod/b at 10:12",
			},
		},
		{
			name: "or several could, and it must be named",
			steps: []step{
				inStaging,
				{"10:01", start("web/qa/1", "08:00", ""), "created web/qa/1 commit 08:00 start 10:01"},
				{"10:10", incidentAnywhere("web/prod/a", "1", ""), "ambiguous: several deployments have this id; environment must be one of: " +
					`project_id "web" in environment "qa"; project_id "web" in environment "staging"`},
				{"10:11", incident("web/qa/a", "1", ""), "created web/qa/a by 1 started 10:11"},
				{"10:12", incident("web/staging/a", "1", ""), "created web/staging/a by 1 started 10:12"},
				{"10:13", incidentAnywhere("web/prod/a", "1", ""), "ambiguous: several incidents have this id; environment must be one of: " +
					`project_id "web" in environment "qa"; project_id "web" in environment "staging"`},
			},
			events: []string{
				"deployment_started web/staging/1 at 10:00",
				"deployment_started web/qa/1 at 10:01",
				"incident_started web/qa/a at 10:11",
				"change_failed web/qa/1 at 10:11",
				"incident_started web/staging/a at 10:12",
				"change_failed web/staging/1 at 10:12",
			},
		},
	})
}
