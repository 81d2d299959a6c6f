package db

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/db/rules"
)

// History reads all deployments and incidents in one snapshot, for the figures of
// windows in the past.
func (s *Store) History(ctx context.Context) (*dora.History, error) {
	h := dora.NewHistory()
	err := s.readers.scrapes.snapshot(ctx, func(tx *sql.Tx) error {
		if err := addPastIncidents(ctx, tx, h); err != nil {
			return err
		}
		if err := addPastDeployments(ctx, tx, h); err != nil {
			return err
		}
		var where conditions
		where.add("deployed_at IS NOT NULL")
		return eachCommits(ctx, tx, where, everyLabel, dora.Labels{}, h.AddCommits)
	})
	if err != nil {
		return nil, fmt.Errorf("read deployments and incidents: %w", storeError(err))
	}
	h.Sort()
	return h, nil
}

func addPastIncidents(ctx context.Context, tx *sql.Tx, h *dora.History) error {
	rows := numbersQuery{
		numbers: []string{"started_at", "coalesce(restored_at, -1)", `CASE WHEN deployment_id IS NULL THEN -1 ELSE
			(SELECT row FROM deployments d WHERE d.id = incidents.deployment_id
				AND d.project_id = incidents.project_id AND d.environment = incidents.environment) END`},
		from: "incidents",
	}
	rows.where.add("true")
	return rows.each(ctx, tx, everyLabel, dora.Labels{}, func(l dora.Labels, n []int64) error {
		h.AddIncident(l, dora.PastIncident{StartedAt: n[0], RestoredAt: n[1], Deployment: n[2]})
		return nil
	})
}

func addPastDeployments(ctx context.Context, tx *sql.Tx, h *dora.History) error {
	rows := numbersQuery{
		numbers: []string{
			"row", "began_at", "coalesce(first_commit_at, -1)", "coalesce(deploy_start_at, -1)", "coalesce(deployed_at, -1)",
			"coalesce(aborted_at, -1)", "coalesce(rolled_back_at, -1)", "rework", "failed_because IS '" + string(rules.ToldFailed) + "'",
		},
		from: "deployments",
	}
	rows.where.add("true")
	return rows.each(ctx, tx, everyLabel, dora.Labels{}, func(l dora.Labels, n []int64) error {
		h.AddDeployment(l, dora.PastDeployment{
			Row: n[0], BeganAt: n[1], FirstCommitAt: n[2], StartedAt: n[3], DeployedAt: n[4],
			AbortedAt: n[5], RolledBackAt: n[6], Rework: n[7] != 0, Failed: n[8] != 0,
		})
		return nil
	})
}

var everyLabel = dora.GroupBy{Project: true, Team: true, Environment: true}
