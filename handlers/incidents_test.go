package handlers_test

import (
	"fmt"
	"testing"
)

const deployed = `{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "@09:00", "deploy_start_at": "@09:30", "deployed_at": "@10:00"}`

func TestIncidents(t *testing.T) {
	tell(t, []story{
		{
			name: "a deployment fails, service is restored, the incident is closed",
			steps: []step{
				{request: "POST /deployments/1/deployed", body: deployed,
					want: "201 shop/production/1 commit 09:00 start 09:30 deployed 10:00"},
				{request: "POST /incidents", body: `{"id": "INC-7", "project_id": "shop", "deployment_id": "1", "started_at": "@10:30"}`,
					want: "201 shop/production/INC-7 by 1 started 10:30"},
				{request: "POST /incidents/INC-7/restored", body: `{"date": "@11:30"}`,
					want: "200 shop/production/INC-7 by 1 started 10:30 restored 11:30"},
				{request: "POST /incidents/INC-7/finished",
					want: "200 shop/production/INC-7 by 1 started 10:30 restored 11:30 finished 12:00"},
				{request: "POST /incidents", body: `{"id": "INC-8", "project_id": "shop", "deployment_id": "1", "started_at": "@10:40"}`,
					want: "201 shop/production/INC-8 by 1 started 10:40"},
			},
			events: []string{
				"deployment_started shop/production/1 at 09:30:00",
				"deployment_deployed shop/production/1 at 10:00:00",
				"incident_started shop/production/INC-7 at 10:30:00",
				"change_failed shop/production/1 at 10:30:00",
				"incident_restored shop/production/INC-7 at 11:30:00",
				"incident_finished shop/production/INC-7 at 12:00:00",
				"incident_started shop/production/INC-8 at 10:40:00",
			},
			metrics: []string{ // it fails once, regardless of the number of incidents
				"change_failure_count shop/production 1",
				"deployment_duration shop/production 1 1800",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"incident_count shop/production 2",
				"incident_finished shop/production 1",
				"incident_restored shop/production 1",
				"lead_time_for_changes shop/production 1 3600",
				"time_to_detect shop/production 2 4200",
				"time_to_restore shop/production 1 3600",
			},
		},
		{
			name: "incidents without an id",
			steps: []step{
				{request: "POST /incidents", body: `{"project_id": "shop", "started_at": "@10:00"}`,
					want: "201 shop/production/incident_shop_1 started 10:00"},
				{request: "POST /incidents", body: `{"project_id": "shop", "started_at": "@10:01"}`,
					want: "201 shop/production/incident_shop_2 started 10:01"},
				{request: "POST /incidents", body: `{"project_id": "shop"}`, headers: []string{"Idempotency-Key: a"},
					want: "201 shop/production/incident_shop_3 started 12:00"},
				{request: "POST /incidents", body: `{"project_id": "shop"}`, headers: []string{"Idempotency-Key: b"},
					want: "201 shop/production/incident_shop_4 started 12:00"},
				{request: "POST /incidents", body: `{"project_id": "shop"}`, once: true,
					want: "201 shop/production/incident_shop_5 started 12:00"},
				{request: "POST /incidents", body: `{"project_id": "shop", "started_at": "@11:59"}`, headers: []string{"Idempotency-Key: a"},
					want: "409 started_at is already recorded as 2026-03-04T12:00:00.000Z; send the same value or omit the field"},
				{request: "POST /incidents", body: `{"project_id": "api"}`, headers: []string{"Idempotency-Key: a"},
					want: "201 api/production/incident_api_1 started 12:00"},
				{request: "POST /incidents/incident_shop_1/restored",
					want: "200 shop/production/incident_shop_1 started 10:00 restored 12:00"},
			},
			events: []string{
				"incident_started shop/production/incident_shop_1 at 10:00:00",
				"incident_started shop/production/incident_shop_2 at 10:01:00",
				"incident_started shop/production/incident_shop_3 at 12:00:00",
				"incident_started shop/production/incident_shop_4 at 12:00:00",
				"incident_started shop/production/incident_shop_5 at 12:00:00",
				"incident_started api/production/incident_api_1 at 12:00:00",
				"incident_restored shop/production/incident_shop_1 at 12:00:00",
			},
			metrics: []string{
				"incident_count api/production 1",
				"incident_count shop/production 5",
				"incident_restored shop/production 1",
				"time_to_restore shop/production 1 7200",
			},
		},
		{
			name: "an incident that is over when it is reported",
			steps: []step{
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shop", "started_at": "@09:00", "restored_at": "@09:30", "finished_at": "@10:00"}`,
					want: "201 shop/production/1 started 09:00 restored 09:30 finished 10:00"},
				{request: "POST /incidents", body: `{"id": "2", "project_id": "shop", "started_at": "@09:00", "finished_at": "@10:00"}`,
					want: "201 shop/production/2 started 09:00 restored 10:00 finished 10:00"},
				{request: "POST /incidents", body: `{"id": "3", "project_id": "shop", "started_at": "@09:00"}`,
					want: "201 shop/production/3 started 09:00"},
				{request: "POST /incidents/3/finished", body: `{"date": "@11:00"}`,
					want: "200 shop/production/3 started 09:00 restored 11:00 finished 11:00"},
			},
			events: []string{
				"incident_started shop/production/1 at 09:00:00",
				"incident_restored shop/production/1 at 09:30:00",
				"incident_finished shop/production/1 at 10:00:00",
				"incident_started shop/production/2 at 09:00:00",
				"incident_restored shop/production/2 at 10:00:00",
				"incident_finished shop/production/2 at 10:00:00",
				"incident_started shop/production/3 at 09:00:00",
				"incident_restored shop/production/3 at 11:00:00",
				"incident_finished shop/production/3 at 11:00:00",
			},
			metrics: []string{
				"incident_count shop/production 3",
				"incident_finished shop/production 3",
				"incident_restored shop/production 3",
				"time_to_restore shop/production 3 12600",
			},
		},
		{
			name: "the cause becomes known later",
			steps: []step{
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shop", "deployment_id": "1"}`,
					want: `422 deployment_id "1" does not match any deployment in project_id "shop"; record the deployment first, or omit deployment_id`},
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shop", "started_at": "@11:00"}`,
					want: "201 shop/production/1 started 11:00"},
				{request: "POST /deployments/1/deployed", body: deployed,
					want: "201 shop/production/1 commit 09:00 start 09:30 deployed 10:00"},
			},
			events: []string{
				"incident_started shop/production/1 at 11:00:00",
				"deployment_started shop/production/1 at 09:30:00",
				"deployment_deployed shop/production/1 at 10:00:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 1800",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"incident_count shop/production 1",
				"lead_time_for_changes shop/production 1 3600",
			},
		},
		{
			name: "conflicting values are rejected",
			steps: []step{
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shop", "started_at": "@10:00"}`,
					want: "201 shop/production/1 started 10:00"},
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shop", "started_at": "@10:01"}`,
					want: "409 started_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
				{request: "POST /incidents/1/restored", body: `{"date": "@11:00"}`,
					want: "200 shop/production/1 started 10:00 restored 11:00"},
				{request: "POST /incidents/1/restored", body: `{"date": "@11:01"}`,
					want: "409 date is already recorded as 2026-03-04T11:00:00.000Z; send the same value or omit the field"},
				{request: "POST /incidents/1/finished", body: `{"date": "@11:30"}`,
					want: "200 shop/production/1 started 10:00 restored 11:00 finished 11:30"},
				{request: "POST /incidents/1/finished", body: `{"date": "@11:31"}`,
					want: "409 date is already recorded as 2026-03-04T11:30:00.000Z; send the same value or omit the field"},
				{request: "POST /incidents/2/restored", want: `404 id "2" does not match any incident`},
				{request: "POST /incidents/2/finished", want: `404 id "2" does not match any incident`},
				{request: "GET /incidents/2", want: `404 id "2" does not match any incident`},
			},
			events: []string{
				"incident_started shop/production/1 at 10:00:00",
				"incident_restored shop/production/1 at 11:00:00",
				"incident_finished shop/production/1 at 11:30:00",
			},
			metrics: []string{
				"incident_count shop/production 1",
				"incident_finished shop/production 1",
				"incident_restored shop/production 1",
				"time_to_restore shop/production 1 3600",
			},
		},
		{
			name: "three incidents share an id",
			steps: []step{
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shop", "environment": "staging"}`,
					want: "201 shop/staging/1 started 12:00"},
				{request: "POST /incidents", body: `{"id": "1", "project_id": "shop"}`,
					want: "201 shop/production/1 started 12:00"},
				{request: "POST /incidents", body: `{"id": "1", "project_id": "api"}`,
					want: "201 api/production/1 started 12:00"},
				{request: "POST /incidents/1/finished",
					want: `409 project_id must be one of: project_id "api" in environment "production"; project_id "shop" in environment "production"; project_id "shop" in environment "staging"`},
				{request: "POST /incidents/1/restored", body: `{"project_id": "shop"}`,
					want: `409 environment must be one of: project_id "shop" in environment "production"; project_id "shop" in environment "staging"`},
				{request: "POST /incidents/1/restored", body: `{"project_id": "shop", "environment": "staging"}`,
					want: "200 shop/staging/1 started 12:00 restored 12:00"},
				{request: "POST /incidents/1/finished", body: `{"project_id": "api"}`,
					want: "200 api/production/1 started 12:00 restored 12:00 finished 12:00"},
				{request: "GET /incidents/1?environment=production",
					want: `409 project_id must be one of: project_id "api" in environment "production"; project_id "shop" in environment "production"`},
				{request: "GET /incidents/1?environment=staging", want: "200 shop/staging/1 started 12:00 restored 12:00"},
			},
			events: []string{
				"incident_started shop/staging/1 at 12:00:00",
				"incident_started shop/production/1 at 12:00:00",
				"incident_started api/production/1 at 12:00:00",
				"incident_restored shop/staging/1 at 12:00:00",
				"incident_restored api/production/1 at 12:00:00",
				"incident_finished api/production/1 at 12:00:00",
			},
			metrics: []string{
				"incident_count api/production 1",
				"incident_count shop/production 1",
				"incident_count shop/staging 1",
				"incident_finished api/production 1",
				"incident_restored api/production 1",
				"incident_restored shop/staging 1",
				"time_to_restore api/production 1 0",
				"time_to_restore shop/staging 1 0",
			},
		},
	})
}

func TestIncidentIsCompletedByLaterCalls(t *testing.T) {
	s := start(t)
	s.must("POST /deployments/1/deployed", deployed)
	for _, step := range []step{
		{body: `{"id": "1", "project_id": "shop", "started_at": "@10:30"}`, want: "201 shop/production/1 started 10:30"},
		{body: `{"id": "1", "project_id": "shop", "deployment_id": "1"}`, want: "200 shop/production/1 by 1 started 10:30"},
		{body: `{"id": "1", "project_id": "shop", "restored_at": "@11:00"}`, want: "200 shop/production/1 by 1 started 10:30 restored 11:00"},
		{body: `{"id": "1", "project_id": "shop", "deployment_id": "2"}`, want: `409 deployment_id is already recorded as "1"; send the same value or omit the field`},
	} {
		if got := s.send("POST /incidents", step.body); got.String() != step.want {
			t.Errorf("%s\n got %s\nwant %s", step.body, got, step.want)
		}
	}
	compare(t, "metrics", s.metrics(), []string{
		"change_failure_count shop/production 1",
		"deployment_duration shop/production 1 1800",
		"deployment_frequency shop/production 1",
		"deployment_started shop/production 1",
		"incident_count shop/production 1",
		"incident_restored shop/production 1",
		"lead_time_for_changes shop/production 1 3600",
		"time_to_detect shop/production 1 1800",
		"time_to_restore shop/production 1 1800",
	})
}

func TestConcurrentRetriesWithoutAnIDCreateOneIncident(t *testing.T) {
	for name, send := range map[string]func(s *service) answer{
		"Idempotency-Key": func(s *service) answer {
			return s.send("POST /incidents", `{"project_id": "shop"}`, "Idempotency-Key: a")
		},
		"started_at": func(s *service) answer {
			return s.send("POST /incidents", `{"project_id": "shop", "started_at": "@10:00"}`)
		},
	} {
		s := start(t)
		statuses := s.concurrently(20, func(int) answer { return send(s) })
		if fmt.Sprint(statuses) != "map[200:19 201:1]" || len(s.events()) != 1 {
			t.Errorf("%s: statuses %v, events %q", name, statuses, s.events())
		}
	}
}

func TestIncidentsWithoutAnIDGetDistinctIDs(t *testing.T) {
	s := start(t)
	s.must("POST /incidents", `{"project_id": "shop", "id": "incident_shop_3"}`)
	statuses := s.concurrently(20, func(i int) answer {
		return s.send("POST /incidents", `{"project_id": "shop"}`, fmt.Sprint("Idempotency-Key: ", i))
	})
	if fmt.Sprint(statuses) != "map[201:20]" {
		t.Errorf("statuses %v", statuses)
	}
	compare(t, "metrics", s.metrics(), []string{"incident_count shop/production 21"})
}
