package handlers_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/em-metrics/em-metrics/db/dbtest"
)

func TestDeployments(t *testing.T) {
	tell(t, []story{
		{
			name: "a job calls at its start and its end",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:00"}`,
					want: "201 shop/production/1 commit 10:00 start 11:00"},
				{request: "POST /deployments/1/deployed",
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 12:00"},
				{request: "GET /deployments/1",
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 12:00"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 12:00:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 3600",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 7200",
			},
		},
		{
			name: "a job calls once, at its end",
			steps: []step{
				{request: "POST /deployments/7/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "environment": "staging", "first_commit_at": "@10:00", "deploy_start_at": "@11:30", "deployed_at": "@11:45"}`,
					want: "201 shop/staging/7 commit 10:00 start 11:30 deployed 11:45"},
				{request: "POST /deployments/8/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "@10:00"}`,
					want: "201 shop/production/8 commit 10:00 deployed 12:00"},
			},
			events: []string{
				"deployment_started shop/staging/7 at 11:30:00",
				"deployment_deployed shop/staging/7 at 11:45:00",
				"deployment_started shop/production/8 at 12:00:00",
				"deployment_deployed shop/production/8 at 12:00:00",
			},
			metrics: []string{ // no duration without a start
				"deployment_duration shop/staging 1 900",
				"deployment_frequency shop/production 1",
				"deployment_frequency shop/staging 1",
				"deployment_started shop/production 1",
				"deployment_started shop/staging 1",
				"lead_time_for_changes shop/production 1 7200",
				"lead_time_for_changes shop/staging 1 6300",
			},
		},
		{
			name: "a deployment of the past is sent with its end and no start",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deployed_at": "@11:00"}`,
					want: "201 shop/production/1 commit 10:00 start 11:00"},
				{request: "POST /deployments/1/deployed",
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 11:00"},
				{request: "POST /deployments", body: `{"id": "2", "project_id": "shop", "first_commit_at": "@10:00", "deployed_at": "@12:04"}`,
					want: "201 shop/production/2 commit 10:00 start 12:00"},
				{request: "POST /deployments", body: `{"id": "3", "project_id": "shop", "first_commit_at": "@11:10", "deployed_at": "@11:00"}`,
					want: "422 deployed_at is 2026-03-04T11:00:00.000Z, which must not be before first_commit_at (2026-03-04T11:10:00.000Z) | first_commit_at is 2026-03-04T11:10:00.000Z, which must not be after deployed_at"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 11:00:00",
				"deployment_started shop/production/2 at 12:00:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 0",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 2",
				"lead_time_for_changes shop/production 1 3600",
			},
		},
		{
			name: "rework may be set at the end",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:00"}`,
					want: "201 shop/production/1 commit 10:00 start 11:00"},
				{request: "POST /deployments/1/deployed", body: `{"rework": true}`,
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 12:00 rework"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 12:00:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 3600",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 7200",
			},
		},
		{
			name: "an unknown deployment is created only on request, with all required fields",
			steps: []step{
				{request: "POST /deployments/1/deployed", body: `{"project_id": "shop", "first_commit_at": "@10:00"}`,
					want: `404 id "1" does not match any deployment in project_id "shop" | create_if_not_exists is not set; send true with project_id and first_commit_at to create the deployment in this call`},
				{request: "POST /deployments/1/deployed", body: `{"create_if_not_exists": true}`,
					want: "400 project_id is required, because the deployment is not recorded yet | first_commit_at is required, because the deployment is not recorded yet"},
				{request: "GET /deployments/1", want: `404 id "1" does not match any deployment`},
			},
		},
		{
			name: "a run deploys to staging and then to production",
			steps: []step{
				{request: "POST /deployments/1/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "environment": "staging", "first_commit_at": "@10:00"}`,
					want: "201 shop/staging/1 commit 10:00 deployed 12:00"},
				{request: "POST /deployments/1/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "@10:00"}`,
					want: "201 shop/production/1 commit 10:00 deployed 12:00"},
			},
			events: []string{
				"deployment_started shop/staging/1 at 12:00:00",
				"deployment_deployed shop/staging/1 at 12:00:00",
				"deployment_started shop/production/1 at 12:00:00",
				"deployment_deployed shop/production/1 at 12:00:00",
			},
			metrics: []string{
				"deployment_frequency shop/production 1",
				"deployment_frequency shop/staging 1",
				"deployment_started shop/production 1",
				"deployment_started shop/staging 1",
				"lead_time_for_changes shop/production 1 7200",
				"lead_time_for_changes shop/staging 1 7200",
			},
		},
		{
			name: "the end date is sent at the start",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:00", "deployed_at": "@11:20"}`,
					want: "201 shop/production/1 commit 10:00 start 11:00"},
				{request: "POST /deployments/1/deployed",
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 11:20"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 11:20:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 1200",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 4800",
			},
		},
		{
			name: "conflicting values are rejected",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:00"}`,
					want: "201 shop/production/1 commit 10:00 start 11:00"},
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:01", "deploy_start_at": "@11:00"}`,
					want: "409 first_commit_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:01"}`,
					want: "409 deploy_start_at is already recorded as 2026-03-04T11:00:00.000Z; send the same value or omit the field"},
				{request: "POST /deployments/1/deployed", body: `{"deployed_at": "@11:10"}`,
					want: "200 shop/production/1 commit 10:00 start 11:00 deployed 11:10"},
				{request: "POST /deployments/1/deployed", body: `{"first_commit_at": "@10:01"}`,
					want: "409 first_commit_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
				{request: "POST /deployments/1/deployed", body: `{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "@10:01"}`,
					want: "409 first_commit_at is already recorded as 2026-03-04T10:00:00.000Z; send the same value or omit the field"},
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deployed_at": "@11:11"}`,
					want: "409 deployed_at is already recorded as 2026-03-04T11:10:00.000Z; send the same value or omit the field"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 11:10:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 600",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 4200",
			},
		},
		{
			name: "the action of the older service runs twice, with its inputs left out",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "7", "project_id": "shop", "first_commit_at": "@10:00"}`,
					want: "201 shop/production/7 commit 10:00 start 12:00"},
				{request: "POST /deployments/7/deployed", body: `{"create_if_not_exists": true, "id": "7", "project_id": "shop", "first_commit_at": "", "deploy_start_at": "", "deployed_at": "@12:01"}`,
					want: "200 shop/production/7 commit 10:00 start 12:00 deployed 12:01"},
				{request: "POST /deployments/7/deployed", body: `{"create_if_not_exists": true, "id": "7", "project_id": "shop", "first_commit_at": "", "deploy_start_at": "@12:02", "deployed_at": "@12:03"}`,
					want: "200 shop/production/7 commit 10:00 start 12:00 deployed 12:01"},
			},
			events: []string{
				"deployment_started shop/production/7 at 12:00:00",
				"deployment_deployed shop/production/7 at 12:01:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 60",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 7260",
			},
		},
		{
			name: "three deployments share an id",
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "environment": "staging", "first_commit_at": "@10:00"}`,
					want: "201 shop/staging/1 commit 10:00 start 12:00"},
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00"}`,
					want: "201 shop/production/1 commit 10:00 start 12:00"},
				{request: "POST /deployments", body: `{"id": "1", "project_id": "api", "first_commit_at": "@10:00", "rework": true}`,
					want: "201 api/production/1 commit 10:00 start 12:00 rework"},
				{request: "POST /deployments/1/deployed",
					want: `409 project_id must be one of: project_id "api" in environment "production"; project_id "shop" in environment "production"; project_id "shop" in environment "staging"`},
				{request: "GET /deployments/1",
					want: `409 project_id must be one of: project_id "api" in environment "production"; project_id "shop" in environment "production"; project_id "shop" in environment "staging"`},
				{request: "POST /deployments/1/deployed", body: `{"project_id": "shop"}`,
					want: `409 environment must be one of: project_id "shop" in environment "production"; project_id "shop" in environment "staging"`},
				{request: "POST /deployments/1/deployed", body: `{"project_id": "shop", "environment": "staging"}`,
					want: "200 shop/staging/1 commit 10:00 start 12:00 deployed 12:00"},
				{request: "POST /deployments/1/deployed", body: `{"project_id": "api"}`,
					want: "200 api/production/1 commit 10:00 start 12:00 deployed 12:00 rework"},
				{request: "GET /deployments/1?project_id=shop&environment=production",
					want: "200 shop/production/1 commit 10:00 start 12:00"},
			},
			events: []string{
				"deployment_started shop/staging/1 at 12:00:00",
				"deployment_started shop/production/1 at 12:00:00",
				"deployment_started api/production/1 at 12:00:00",
				"deployment_deployed shop/staging/1 at 12:00:00",
				"deployment_deployed api/production/1 at 12:00:00",
			},
			metrics: []string{
				"deployment_duration api/production 1 0",
				"deployment_duration shop/staging 1 0",
				"deployment_frequency api/production 1",
				"deployment_frequency shop/staging 1",
				"deployment_started api/production 1",
				"deployment_started shop/production 1",
				"deployment_started shop/staging 1",
				"lead_time_for_changes api/production 1 7200",
				"lead_time_for_changes shop/staging 1 7200",
			},
		},
		{
			name: "a client of the older service",
			setup: []func(*setup){func(o *setup) {
				o.Auth.Disabled, o.Auth.Token, o.Auth.PublicMetrics = false, "t0ken", true
			}},
			steps: []step{
				{request: "POST /deployments", body: `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:00", "username": "bob"}`,
					headers: []string{"Authorization: token t0ken"},
					want:    "201 shop/production/1 commit 10:00 start 11:00"},
				{request: "POST /deployments/1/deployed", body: `{"id": "1", "project_id": "shop", "create_if_not_exists": false}`,
					headers: []string{"Authorization: token t0ken"},
					want:    "200 shop/production/1 commit 10:00 start 11:00 deployed 12:00"},
				{request: "POST /deployments/1/deployed", body: `{"id": "2"}`,
					headers: []string{"Authorization: token t0ken"},
					want:    `400 id is "2" but the path has "1"; send the same value or omit the field`},
				{request: "GET /incidents?filter=in-progress", headers: []string{"Authorization: token t0ken"}, want: "200 []\n"},
			},
			events: []string{
				"deployment_started shop/production/1 at 11:00:00",
				"deployment_deployed shop/production/1 at 12:00:00",
			},
			metrics: []string{
				"deployment_duration shop/production 1 3600",
				"deployment_frequency shop/production 1",
				"deployment_started shop/production 1",
				"lead_time_for_changes shop/production 1 7200",
			},
		},
	})
}

func TestEveryErrorHasAMessageForOlderClients(t *testing.T) {
	got := start(t).send("POST /api/v1/deployments", `{"project_id": "shop"}`)
	older, err := readJSON[struct {
		Errors []struct{ Message string }
	}]([]byte(got.body))
	if err != nil || len(older.Errors) != 2 || older.Errors[0].Message == "" || older.Errors[1].Message == "" {
		t.Errorf("%v in %s", err, got.body)
	}
}

func TestConcurrentCreationCreatesOneDeployment(t *testing.T) {
	s := start(t)
	statuses := s.concurrently(20, func(int) answer {
		return s.send("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00"}`)
	})
	if fmt.Sprint(statuses) != "map[200:19 201:1]" {
		t.Errorf("statuses %v", statuses)
	}
	compare(t, "metrics", s.metrics(), []string{"deployment_started shop/production 1"})
}

func TestRepeatedDeployedCallsCountOnce(t *testing.T) {
	s := start(t)
	s.must("POST /deployments", `{"id": "1", "project_id": "shop", "first_commit_at": "@10:00", "deploy_start_at": "@11:00"}`)
	for _, now := range []string{"12:00", "12:01", "12:02", "12:03"} {
		s.now.Set(dbtest.At(now))
		if got := s.send("POST /deployments/1/deployed", ""); got.String() != "200 shop/production/1 commit 10:00 start 11:00 deployed 12:00" {
			t.Errorf("at %s: %s", now, got)
		}
	}
	compare(t, "events", s.events(), []string{
		"deployment_started shop/production/1 at 11:00:00",
		"deployment_deployed shop/production/1 at 12:00:00",
	})
}

func TestConcurrentSingleCallsCreateOneDeployment(t *testing.T) {
	s := start(t)
	statuses := s.concurrently(20, func(int) answer {
		return s.send("POST /deployments/1/deployed", `{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "@10:00"}`)
	})
	if fmt.Sprint(statuses) != "map[200:19 201:1]" || len(s.events()) != 2 {
		t.Errorf("statuses %v, events %q", statuses, s.events())
	}
}

// concurrently sends from n clients at once and counts the statuses.
func (s *service) concurrently(n int, send func(i int) answer) map[int]int {
	answers := make([]answer, n)
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() { answers[i] = send(i) })
	}
	clients.Wait()
	statuses := map[int]int{}
	for _, a := range answers {
		statuses[a.status]++
	}
	return statuses
}
