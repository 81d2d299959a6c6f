package db

import (
	"database/sql"
	"fmt"
	"slices"

	"github.com/em-metrics/em-metrics/db/rules"
)

// load reads what a batch needs into the state.
func (t *tx) load(n *rules.Needs, s *rules.State) error {
	if err := t.loadDeployments(n, s); err != nil {
		return err
	}
	for _, b := range distinct(n.DeployedBefore) {
		if err := loadRows(t, deployments(), s.LoadDeployment, deployedBefore, b.Project, b.Environment, millis(b.Time)); err != nil {
			return err
		}
	}
	if err := t.loadNeighbors(n, s); err != nil {
		return err
	}
	for _, ref := range distinct(n.Incidents) {
		if err := loadRows(t, incidents(), s.LoadIncident, incidents().matching(), ref.ID, ref.Project, ref.Environment); err != nil {
			return err
		}
	}
	return t.loadIncidents(n, s)
}

const (
	deployedBefore = `SELECT ` + deploymentColumns + ` FROM deployments INDEXED BY deployments_live
		WHERE project_id = ? AND environment = ? AND deployed_at < ?
		ORDER BY deployed_at DESC, row DESC LIMIT 1`
	linkedIncidents = `SELECT ` + incidentColumns + ` FROM incidents
		WHERE id = ?1 AND project_id = ?2 AND deployment_id IS NOT NULL AND (?3 = '' OR deployment_id = ?3)
		ORDER BY environment LIMIT ?4`
	incidentsBesideDeployment = `SELECT ` + incidentColumns + ` FROM incidents
		WHERE id = ?1 AND project_id = ?2
			AND environment IN (SELECT environment FROM deployments WHERE id = ?3 AND project_id = ?2)
		ORDER BY environment LIMIT ?4`
	incidentByIdempotencyKey = `SELECT ` + incidentColumns + ` FROM incidents WHERE project_id = ? AND idempotency_key = ?`
	generatedIncidents       = `SELECT ` + incidentColumns + ` FROM incidents
		WHERE project_id = ?1 AND started_at = ?2 AND number IS NOT NULL AND coalesce(deployment_id, '') = ?3
			AND (environment = ?4 OR environment IN (SELECT environment FROM deployments WHERE id = ?3 AND project_id = ?1))`
	countIncidents = `SELECT coalesce((SELECT incidents FROM incident_counts WHERE project_id = ?), 0)`
	// The first ?2 numbers above those in use and above ?3 that no id was given by
	// hand.
	freeNumbers = `WITH RECURSIVE candidate (n, is_free, found) AS (
			SELECT max(coalesce(max(number), 0), ?3), 0, 0 FROM incidents WHERE project_id = ?1 AND number IS NOT NULL
			UNION ALL
			SELECT n + 1,
				NOT EXISTS (SELECT 1 FROM incidents WHERE id = 'incident_' || ?1 || '_' || (n + 1) AND project_id = ?1),
				found + NOT EXISTS (SELECT 1 FROM incidents WHERE id = 'incident_' || ?1 || '_' || (n + 1) AND project_id = ?1)
			FROM candidate WHERE found < ?2
		) SELECT n FROM candidate WHERE is_free ORDER BY n`
)

func (t *tx) loadIncidents(n *rules.Needs, s *rules.State) error {
	for _, l := range distinct(n.LinkedIncidents) {
		if err := loadRows(t, incidents(), s.LoadIncident, linkedIncidents, l.ID, l.Project, l.DeploymentID, rules.MaxMatches); err != nil {
			return err
		}
		if l.DeploymentID == "" {
			continue
		}
		err := loadRows(t, incidents(), s.LoadIncident, incidentsBesideDeployment, l.ID, l.Project, l.DeploymentID, rules.MaxMatches)
		if err != nil {
			return err
		}
	}
	for _, k := range distinct(n.IdempotencyKeys) {
		if err := loadRows(t, incidents(), s.LoadIncident, incidentByIdempotencyKey, k.Project, k.Key); err != nil {
			return err
		}
	}
	for _, g := range distinct(n.GeneratedIncidents) {
		err := loadRows(t, incidents(), s.LoadIncident, generatedIncidents, g.Project, millis(g.StartedAt), g.DeploymentID, g.Environment)
		if err != nil {
			return err
		}
	}
	for project, wanted := range n.IncidentNumbers() {
		incidents, err := t.numbers(countIncidents, project)
		if err != nil {
			return fmt.Errorf("count incidents: %w", err)
		}
		free, err := t.numbers(freeNumbers, project, wanted, incidents[0])
		if err != nil {
			return fmt.Errorf("load incident numbers: %w", err)
		}
		s.LoadNumbers(project, incidents[0], free)
	}
	return nil
}

// neighborPlaces selects the places of the deployments of a [rules.Neighbors], the times
// at which they will be deployed, and their commits.
const neighborPlaces = `place (project_id, environment, id, at, commit_key, commit_name) AS (
		SELECT ?2, ?3, ?1, coalesce(?4, ?5), ?6, ?7 WHERE ?2 <> '' AND ?3 <> ''
		UNION ALL
		SELECT project_id, environment, id, coalesce(?4, planned_deployed_at, ?5), coalesce(commit_key, ?6), coalesce(commit_name, ?7)
		FROM deployments WHERE id = ?1 AND (?2 = '' OR project_id = ?2) AND (?3 = '' OR environment = ?3)
	), live (row, project_id, environment, id, commit_key, commit_name) AS (
		SELECT d.row, d.project_id, d.environment, d.id, d.commit_key, d.commit_name
		FROM place CROSS JOIN deployments d ON d.row = (SELECT row FROM deployments before INDEXED BY deployments_live
			WHERE before.project_id = place.project_id AND before.environment = place.environment
				AND before.deployed_at IS NOT NULL AND before.deployed_at < place.at
			ORDER BY before.deployed_at DESC, before.row DESC LIMIT 1)
	)`

var (
	neighborDeployments = `WITH ` + neighborPlaces + `
		SELECT ` + deploymentColumns + ` FROM deployments WHERE row IN (
			SELECT row FROM live
			UNION
			SELECT (SELECT row FROM deployments newest INDEXED BY deployments_live
				WHERE newest.project_id = place.project_id AND newest.environment = place.environment AND newest.deployed_at IS NOT NULL
				ORDER BY newest.deployed_at DESC, newest.row DESC LIMIT 1) FROM place
			UNION
			SELECT ` + firstOf("place") + ` FROM place WHERE commit_key <> ''
			UNION
			SELECT ` + firstOf("live") + ` FROM live WHERE commit_key IS NOT NULL)`
	neighborIncidents = `WITH ` + neighborPlaces + `
		SELECT ` + incidentColumns + ` FROM incidents WHERE row IN (
			SELECT i.row FROM (SELECT id, project_id, environment FROM place UNION SELECT id, project_id, environment FROM live) AS d
			CROSS JOIN incidents i INDEXED BY incidents_by_deployment ON i.deployment_id IS NOT NULL AND i.deployment_id = d.id
				AND i.project_id = d.project_id AND i.environment = d.environment AND i.restored_at IS NULL)`
)

// firstOf is the query for the first deployment of a commit of a place. Names with
// the same key mean the same commit if one begins with the other.
func firstOf(place string) string {
	return fmt.Sprintf(`(SELECT row FROM deployments first INDEXED BY deployments_by_commit
		WHERE first.commit_key = %[1]s.commit_key AND first.project_id = %[1]s.project_id AND first.environment = %[1]s.environment
			AND first.deployed_at IS NOT NULL
			AND (substr(first.commit_name, 1, length(%[1]s.commit_name)) = %[1]s.commit_name
				OR substr(%[1]s.commit_name, 1, length(first.commit_name)) = first.commit_name)
		ORDER BY first.deployed_at, first.row LIMIT 1)`, place)
}

func (t *tx) loadNeighbors(n *rules.Needs, s *rules.State) error {
	for _, of := range distinct(n.Neighbors) {
		args := []any{of.ID, of.Project, of.Environment, nullTime(of.At), millis(s.Now()), rules.CommitKey(of.Commit), of.Commit}
		if err := loadRows(t, deployments(), s.LoadDeployment, neighborDeployments, args...); err != nil {
			return err
		}
		if err := loadRows(t, incidents(), s.LoadIncident, neighborIncidents, args...); err != nil {
			return err
		}
	}
	return nil
}

// numbers runs a query for numbers.
func (t *tx) numbers(query string, args ...any) ([]int64, error) {
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanNumber)
}

// loadDeployments reads the deployments that are named in full, most of them new
// and so absent, many in one statement.
func (t *tx) loadDeployments(n *rules.Needs, s *rules.State) error {
	var keys []any
	for _, ref := range distinct(n.Deployments) {
		if ref.Project != "" && ref.Environment != "" {
			keys = append(keys, ref.ID, ref.Project, ref.Environment)
			continue
		}
		if err := loadRows(t, deployments(), s.LoadDeployment, deployments().matching(), ref.ID, ref.Project, ref.Environment); err != nil {
			return err
		}
	}
	return eachChunk(3, keys, func(values string, keys []any) error {
		// CROSS JOIN makes SQLite look up each key instead of scanning the table.
		query := "WITH wanted (wanted_id, wanted_project, wanted_environment) AS (VALUES " + values + ") SELECT " + deploymentColumns +
			" FROM wanted CROSS JOIN deployments ON id = wanted_id AND project_id = wanted_project AND environment = wanted_environment"
		return loadRows(t, deployments(), s.LoadDeployment, query, keys...)
	})
}

// loadRows reads the rows of a query into a state.
func loadRows[R rules.Row](t *tx, r relation[R], into func(R), query string, args ...any) error {
	rows, err := t.query(query, args...)
	if err != nil {
		return fmt.Errorf("load %ss: %w", r.noun, err)
	}
	found, err := collect(rows, r.scan)
	if err != nil {
		return fmt.Errorf("load %ss: %w", r.noun, err)
	}
	for _, row := range found {
		into(row)
	}
	return nil
}

// distinct returns the values without repetitions, in order.
func distinct[T comparable](values []T) []T {
	if len(values) < 2 {
		return values
	}
	seen := make(map[T]bool, len(values))
	return slices.DeleteFunc(slices.Clone(values), func(v T) bool {
		repeated := seen[v]
		seen[v] = true
		return repeated
	})
}

func scanNumber(rows *sql.Rows) (n int64, err error) {
	err = rows.Scan(&n)
	return n, err
}
