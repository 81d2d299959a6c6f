package db

import (
	"testing"
)

// incident is one of which the environment was named.
func incident(k, deployment, started string) OpenIncident {
	return OpenIncident{Key: key(k), DeploymentID: deployment, StartedAt: clock(started)}
}

// incidentAnywhere is one of which the environment is only a default.
func incidentAnywhere(k, deployment, started string) OpenIncident {
	c := incident(k, deployment, started)
	c.AnyEnvironment = true
	return c
}

// until is the incident with the dates at which it was restored and finished.
func until(restored, finished string, c OpenIncident) OpenIncident {
	c.RestoredAt, c.FinishedAt = clock(restored), clock(finished)
	return c
}

// under is the incident with an idempotency key.
func under(idempotencyKey string, c OpenIncident) OpenIncident {
	c.IdempotencyKey = idempotencyKey
	return c
}

func restore(ref Ref, at string) RestoreIncident { return RestoreIncident{Ref: ref, At: clock(at)} }

func closeIncident(ref Ref, at string) FinishIncident { return FinishIncident{Ref: ref, At: clock(at)} }

const incidentContradicted = "conflict: the incident already exists with different values; "

func TestIncidents(t *testing.T) {
	tell(t, []story{
		{
			name: "started, restored, finished, each repeated",
			steps: []step{
				{"10:00", incident("web/prod/a", "", ""), "created web/prod/a started 10:00"},
				{"10:01", incident("web/prod/a", "", ""), "known web/prod/a started 10:00"},
				{"10:02", incident("web/prod/a", "", "10:00"), "known web/prod/a started 10:00"},
				{"10:30", restore(Ref{ID: "a"}, ""), "known web/prod/a started 10:00 restored 10:30"},
				{"10:31", restore(Ref{ID: "a"}, ""), "known web/prod/a started 10:00 restored 10:30"},
				{"10:32", restore(Ref{ID: "a"}, "10:30"), "known web/prod/a started 10:00 restored 10:30"},
				{"11:00", closeIncident(Ref{ID: "a"}, ""), "known web/prod/a started 10:00 restored 10:30 finished 11:00"},
				{"11:01", closeIncident(Ref{ID: "a"}, ""), "known web/prod/a started 10:00 restored 10:30 finished 11:00"},
				{"11:02", closeIncident(Ref{ID: "a"}, "11:00"), "known web/prod/a started 10:00 restored 10:30 finished 11:00"},
				{"11:03", restore(Ref{ID: "a"}, ""), "known web/prod/a started 10:00 restored 10:30 finished 11:00"},
			},
			events: []string{
				"incident_started web/prod/a at 10:00",
				"incident_restored web/prod/a at 10:30 restored 30m0s",
				"incident_finished web/prod/a at 11:00",
			},
		},
		{
			name: "finished implies restored",
			steps: []step{
				{"10:00", incident("web/prod/a", "", ""), "created web/prod/a started 10:00"},
				{"11:00", closeIncident(Ref{ID: "a"}, "10:50"), "known web/prod/a started 10:00 restored 10:50 finished 10:50"},
				{"11:01", until("", "10:45", incident("web/prod/b", "", "10:00")), "created web/prod/b started 10:00 restored 10:45 finished 10:45"},
			},
			events: []string{
				"incident_started web/prod/a at 10:00",
				"incident_restored web/prod/a at 10:50 restored 50m0s",
				"incident_finished web/prod/a at 10:50",
				"incident_started web/prod/b at 10:00",
				"incident_restored web/prod/b at 10:45 restored 45m0s",
				"incident_finished web/prod/b at 10:45",
			},
		},
		{
			name: "told at once, and filled in step by step",
			steps: []step{
				{"12:00", until("10:30", "11:00", incident("web/prod/a", "", "10:00")), "created web/prod/a started 10:00 restored 10:30 finished 11:00"},
				{"12:00", incident("web/prod/b", "", "10:00"), "created web/prod/b started 10:00"},
				{"12:00", until("10:30", "", incident("web/prod/b", "", "")), "known web/prod/b started 10:00 restored 10:30"},
				{"12:00", until("10:30", "11:00", incident("web/prod/b", "", "10:00")), "known web/prod/b started 10:00 restored 10:30 finished 11:00"},
			},
			events: []string{
				"incident_started web/prod/a at 10:00",
				"incident_restored web/prod/a at 10:30 restored 30m0s",
				"incident_finished web/prod/a at 11:00",
				"incident_started web/prod/b at 10:00",
				"incident_restored web/prod/b at 10:30 restored 30m0s",
				"incident_finished web/prod/b at 11:00",
			},
		},
		{
			name: "contradictions are refused and change nothing",
			steps: []step{
				{"12:00", until("10:30", "11:00", incident("web/prod/a", "", "10:00")), "created web/prod/a started 10:00 restored 10:30 finished 11:00"},
				{"12:00", incident("web/prod/a", "", "10:01"),
					incidentContradicted + "started_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
				{"12:00", until("10:31", "", incident("web/prod/a", "", "")),
					incidentContradicted + "restored_at is already recorded as 2026-03-04T10:30:00.000Z; send the same value or omit the field"},
				{"12:00", until("", "11:01", incident("web/prod/a", "", "")),
					incidentContradicted + "finished_at is already recorded as 2026-03-04T11:00:00.000Z; send the same value or omit the field"},
				{"12:00", restore(Ref{ID: "a"}, "10:31"),
					incidentContradicted + "restored_at is already recorded as 2026-03-04T10:30:00.000Z; send the same value or omit the field"},
				{"12:00", closeIncident(Ref{ID: "a"}, "11:01"),
					incidentContradicted + "finished_at is already recorded as 2026-03-04T11:00:00.000Z; send the same value or omit the field"},
			},
			events: []string{
				"incident_started web/prod/a at 10:00",
				"incident_restored web/prod/a at 10:30 restored 30m0s",
				"incident_finished web/prod/a at 11:00",
			},
		},
		{
			name: "unknown ones, and what is missing",
			steps: []step{
				{"12:00", restore(Ref{ID: "a"}, ""), `not found: no such incident; id "a" does not match any incident`},
				{"12:00", closeIncident(Ref{ID: "a", Project: "web"}, ""),
					`not found: no such incident; id "a" does not match any incident in project_id "web"`},
				{"12:00", OpenIncident{}, "missing: a required field is missing; " +
					"project_id is required, because the incident is not recorded yet; " +
					"environment is required, because the incident is not recorded yet"},
			},
		},
		{
			name: "one id in two projects and in two environments",
			steps: []step{
				{"10:00", incident("web/prod/a", "", ""), "created web/prod/a started 10:00"},
				{"10:01", incident("web/staging/a", "", ""), "created web/staging/a started 10:01"},
				{"10:02", incidentAnywhere("api/prod/a", "", ""), "created api/prod/a started 10:02"},
				{"10:05", restore(Ref{ID: "a"}, ""), "ambiguous: several incidents have this id; project_id must be one of: " +
					`project_id "api" in environment "prod"; project_id "web" in environment "prod"; project_id "web" in environment "staging"`},
				{"10:05", closeIncident(Ref{ID: "a", Project: "web"}, ""), "ambiguous: several incidents have this id; environment must be one of: " +
					`project_id "web" in environment "prod"; project_id "web" in environment "staging"`},
				{"10:05", restore(Ref{ID: "a", Project: "api"}, ""), "known api/prod/a started 10:02 restored 10:05"},
				{"10:06", closeIncident(Ref{ID: "a", Environment: "staging"}, ""), "known web/staging/a started 10:01 restored 10:06 finished 10:06"},
			},
			events: []string{
				"incident_started web/prod/a at 10:00",
				"incident_started web/staging/a at 10:01",
				"incident_started api/prod/a at 10:02",
				"incident_restored api/prod/a at 10:05 restored 3m0s",
				"incident_restored web/staging/a at 10:06 restored 5m0s",
				"incident_finished web/staging/a at 10:06",
			},
		},
	})
}

func TestDatesOfIncidents(t *testing.T) {
	tell(t, []story{
		{
			name: "five minutes of disorder count as zero",
			steps: []step{
				{"10:00", incident("web/prod/a", "", "10:05"), "created web/prod/a started 10:05"},
				{"10:00", restore(Ref{ID: "a"}, ""), "known web/prod/a started 10:05 restored 10:00"},
				{"10:00", closeIncident(Ref{ID: "a"}, ""), "known web/prod/a started 10:05 restored 10:00 finished 10:00"},
			},
			events: []string{
				"incident_started web/prod/a at 10:05",
				"incident_restored web/prod/a at 10:00 restored 0s",
				"incident_finished web/prod/a at 10:00",
			},
		},
		{
			name: "more is refused, at the first word and at later ones",
			steps: []step{
				{"12:00", until("09:54:59", "", incident("web/prod/a", "", "10:00")), "invalid: the dates are out of order; " +
					"restored_at is 2026-03-04T09:54:59.000Z, which must not be before started_at (2026-03-04T10:00:00.000Z); " +
					"started_at is 2026-03-04T10:00:00.000Z, which must not be after restored_at"},
				{"12:00", until("11:00", "10:30", incident("web/prod/a", "", "10:00")), "invalid: the dates are out of order; " +
					"finished_at is 2026-03-04T10:30:00.000Z, which must not be before restored_at (2026-03-04T11:00:00.000Z); " +
					"restored_at is 2026-03-04T11:00:00.000Z, which must not be after finished_at"},
				{"12:00", incident("web/prod/a", "", "12:05:00.001"), "invalid: the values are inconsistent; " +
					"started_at is 2026-03-04T12:05:00.001Z, which is in the future: the time is now 2026-03-04T12:00:00.000Z"},
				{"12:00", incident("web/prod/a", "", "10:00"), "created web/prod/a started 10:00"},
				{"12:00", until("09:00", "", incident("web/prod/a", "", "")), "invalid: the dates are out of order; " +
					"restored_at is 2026-03-04T09:00:00.000Z, which must not be before started_at (2026-03-04T10:00:00.000Z); " +
					"started_at is 2026-03-04T10:00:00.000Z, which must not be after restored_at"},
				{"12:00", closeIncident(Ref{ID: "a"}, "09:00"), "invalid: the dates are out of order; " +
					"finished_at is 2026-03-04T09:00:00.000Z, which must not be before started_at (2026-03-04T10:00:00.000Z); " +
					"started_at is 2026-03-04T10:00:00.000Z, which must not be after finished_at"},
				{"12:00", restore(Ref{ID: "a"}, "11:00"), "known web/prod/a started 10:00 restored 11:00"},
				{"12:00", closeIncident(Ref{ID: "a"}, "10:54:59"), "invalid: the dates are out of order; " +
					"finished_at is 2026-03-04T10:54:59.000Z, which must not be before restored_at (2026-03-04T11:00:00.000Z); " +
					"restored_at is 2026-03-04T11:00:00.000Z, which must not be after finished_at"},
				{"12:00", restore(Ref{ID: "a"}, "13:00"),
					incidentContradicted + "restored_at is already recorded as 2026-03-04T11:00:00.000Z; send the same value or omit the field"},
			},
			events: []string{
				"incident_started web/prod/a at 10:00",
				"incident_restored web/prod/a at 11:00 restored 1h0m0s",
			},
		},
	})
}

func TestGeneratedIncidentIDs(t *testing.T) {
	tell(t, []story{
		{
			name: "count the incidents of the project and step over ids given by hand",
			once: true,
			steps: []step{
				{"10:00", incident("web/prod/", "", ""), "created web/prod/incident_web_1 started 10:00"},
				{"10:01", incident("web/prod/incident_web_2", "", ""), "created web/prod/incident_web_2 started 10:01"},
				{"10:02", incident("web/staging/incident_web_3", "", ""), "created web/staging/incident_web_3 started 10:02"},
				{"10:03", incident("api/prod/incident_web_4", "", ""), "created api/prod/incident_web_4 started 10:03"},
				{"10:04", incident("web/prod/", "", ""), "created web/prod/incident_web_4 started 10:04"},
				{"10:05", incident("web/staging/", "", ""), "created web/staging/incident_web_5 started 10:05"},
				{"10:06", incident("api/prod/", "", ""), "created api/prod/incident_api_2 started 10:06"},
				{"10:07", incident("web/prod/incident_web_4", "", ""), "known web/prod/incident_web_4 started 10:04"},
				{"10:08", incident("web/prod/incident_web_1", "", "10:08"),
					incidentContradicted + "started_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
			},
			events: []string{
				"incident_started web/prod/incident_web_1 at 10:00",
				"incident_started web/prod/incident_web_2 at 10:01",
				"incident_started web/staging/incident_web_3 at 10:02",
				"incident_started api/prod/incident_web_4 at 10:03",
				"incident_started web/prod/incident_web_4 at 10:04",
				"incident_started web/staging/incident_web_5 at 10:05",
				"incident_started api/prod/incident_api_2 at 10:06",
			},
		},
		{
			name: "count those that have ids of their own, in every environment",
			once: true,
			steps: []step{
				{"10:00", incident("web/prod/a", "", ""), "created web/prod/a started 10:00"},
				{"10:01", incident("web/staging/b", "", ""), "created web/staging/b started 10:01"},
				{"10:02", incident("web/prod/incident_web_4", "", ""), "created web/prod/incident_web_4 started 10:02"},
				{"10:03", incident("web/prod/", "", ""), "created web/prod/incident_web_5 started 10:03"},
				{"10:04", incident("web/prod/c", "", ""), "created web/prod/c started 10:04"},
				{"10:05", incident("web/prod/", "", ""), "created web/prod/incident_web_6 started 10:05"},
				{"10:06", incident("web/prod/d", "", ""), "created web/prod/d started 10:06"},
				{"10:07", incident("web/prod/", "", ""), "created web/prod/incident_web_8 started 10:07"},
			},
			events: []string{
				"incident_started web/prod/a at 10:00",
				"incident_started web/staging/b at 10:01",
				"incident_started web/prod/incident_web_4 at 10:02",
				"incident_started web/prod/incident_web_5 at 10:03",
				"incident_started web/prod/c at 10:04",
				"incident_started web/prod/incident_web_6 at 10:05",
				"incident_started web/prod/d at 10:06",
				"incident_started web/prod/incident_web_8 at 10:07",
			},
		},
		{
			name: "a retry is known by the date it started and the deployment",
			steps: []step{
				{"10:00", start("web/prod/1", "08:00", ""), "created web/prod/1 commit 08:00 start 10:00"},
				{"10:10", incident("web/prod/", "", "10:05"), "created web/prod/incident_web_1 started 10:05"},
				{"10:11", incident("web/prod/", "", "10:05"), "known web/prod/incident_web_1 started 10:05"},
				{"10:12", incident("web/prod/", "", "10:06"), "created web/prod/incident_web_2 started 10:06"},
				{"10:13", incident("web/staging/", "", "10:05"), "created web/staging/incident_web_3 started 10:05"},
				{"10:14", incident("web/prod/", "1", "10:05"), "created web/prod/incident_web_4 by 1 started 10:05"},
				{"10:15", incidentAnywhere("web/staging/", "1", "10:05"), "known web/prod/incident_web_4 by 1 started 10:05"},
				{"10:16", incident("web/prod/mine", "", "10:07"), "created web/prod/mine started 10:07"},
				{"10:17", incident("web/prod/", "", "10:07"), "created web/prod/incident_web_6 started 10:07"},
			},
			events: []string{
				"deployment_started web/prod/1 at 10:00",
				"incident_started web/prod/incident_web_1 at 10:05",
				"incident_started web/prod/incident_web_2 at 10:06",
				"incident_started web/staging/incident_web_3 at 10:05",
				"incident_started web/prod/incident_web_4 at 10:05",
				"change_failed web/prod/1 at 10:05",
				"incident_started web/prod/mine at 10:07",
				"incident_started web/prod/incident_web_6 at 10:07",
			},
		},
		{
			name: "an idempotency key tells a retry from a second incident",
			steps: []step{
				{"10:00", under("k1", incident("web/prod/", "", "")), "created web/prod/incident_web_1 started 10:00"},
				{"10:01", under("k1", incident("web/prod/", "", "")), "known web/prod/incident_web_1 started 10:00"},
				{"10:02", under("k2", incident("web/prod/", "", "10:00")), "created web/prod/incident_web_2 started 10:00"},
				{"10:03", under("k1", incident("api/prod/", "", "")), "created api/prod/incident_api_1 started 10:03"},
				{"10:04", under("k1", incident("web/prod/", "", "10:04")),
					incidentContradicted + "started_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
				{"10:05", under("k1", incident("web/staging/", "", "")),
					incidentContradicted + `environment is already recorded as "prod"; send the same value or omit the field`},
				{"10:06", until("10:05", "", under("k1", incident("web/prod/", "", ""))), "known web/prod/incident_web_1 started 10:00 restored 10:05"},
				// With an id of its own an incident needs no key, whoever used it before.
				{"10:07", under("k1", incident("web/prod/x", "", "")), "created web/prod/x started 10:07"},
				{"10:08", under("k3", incident("web/prod/y", "", "")), "created web/prod/y started 10:08"},
				{"10:09", under("k3", incident("web/prod/z", "", "")), "created web/prod/z started 10:09"},
			},
			events: []string{
				"incident_started web/prod/incident_web_1 at 10:00",
				"incident_started web/prod/incident_web_2 at 10:00",
				"incident_started api/prod/incident_api_1 at 10:03",
				"incident_restored web/prod/incident_web_1 at 10:05 restored 5m0s",
				"incident_started web/prod/x at 10:07",
				"incident_started web/prod/y at 10:08",
				"incident_started web/prod/z at 10:09",
			},
		},
	})
}
