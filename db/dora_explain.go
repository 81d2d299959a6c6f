package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/em-metrics/em-metrics/db/rules"
)

// Metric names a figure of [Dora].
type Metric string

// The metrics.
const (
	DeploymentFrequency          Metric = "deployment_frequency"
	ChangeLeadTime               Metric = "change_lead_time"
	ChangeFailureRate            Metric = "change_failure_rate"
	FailedDeploymentRecoveryTime Metric = "failed_deployment_recovery_time"
	DeploymentReworkRate         Metric = "deployment_rework_rate"
	DeploymentDuration           Metric = "deployment_duration"
	UnfinishedDeployments        Metric = "unfinished_deployments"
	TimeToRestore                Metric = "time_to_restore"
	TimeToDetect                 Metric = "time_to_detect"
	Incidents                    Metric = "incidents"
	OpenIncidents                Metric = "open_incidents"
)

// Metrics returns the names of all metrics, the four keys and rework first.
func Metrics() []Metric {
	return []Metric{
		DeploymentFrequency, ChangeLeadTime, ChangeFailureRate, FailedDeploymentRecoveryTime, DeploymentReworkRate,
		DeploymentDuration, UnfinishedDeployments, TimeToRestore, TimeToDetect, Incidents, OpenIncidents,
	}
}

// Evidence is one deployment or one incident that went into a figure.
type Evidence struct {
	Deployment *Deployment // nil when it is an incident
	Incident   *Incident   // nil when it is a deployment
	// Counted says that it is in the numerator of a ratio: that the deployment
	// failed, or was rework. Of other figures it is always true.
	Counted bool
	// Value is what it adds to the samples of a duration.
	Value NullDuration
	// Incidents are the ids of those linked to the deployment, of
	// ChangeFailureRate.
	Incidents []string
}

// explanation is how the evidence of a metric is found: which rows, the column
// of the date that decides, and what each row adds.
type explanation[T any] struct {
	where string
	at    string
	add   func(row *T, e *Evidence)
}

// Explain lists the deployments and incidents that went into a figure of the
// window, newest first by the date that decides. The grouping and the interval
// of the query are not looked at. The cursor is where the next page starts.
func (s *Store) Explain(ctx context.Context, m Metric, q DoraQuery, page Page) (evidence []Evidence, next *Cursor, err error) {
	if e, ok := m.ofDeployments(); ok {
		evidence, next, err = s.explainDeployments(ctx, e, q, page)
	} else if e, ok := m.ofIncidents(); ok {
		evidence, next, err = s.explainIncidents(ctx, e, m == OpenIncidents, q, page)
	} else {
		err = errors.New("no such metric")
	}
	for i := range evidence {
		switch {
		case err != nil:
		case m == ChangeFailureRate:
			evidence[i].Incidents, err = s.IncidentsOf(ctx, evidence[i].Deployment.Key)
			evidence[i].Counted = len(evidence[i].Incidents) > 0
		case m == TimeToDetect:
			var d *Deployment
			incident := evidence[i].Incident
			d, err = s.Deployment(ctx, Ref{ID: incident.DeploymentID, Project: incident.Project, Environment: incident.Environment})
			if err == nil {
				evidence[i].Value = rules.Elapsed(d.DeployedAt, incident.StartedAt)
			}
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("explain %s: %w", m, storeError(err))
	}
	return evidence, next, nil
}

func (m Metric) ofDeployments() (explanation[Deployment], bool) {
	e := explanation[Deployment]{where: "deployed_at IS NOT NULL", at: "deployed_at", add: func(*Deployment, *Evidence) {}}
	switch m {
	case DeploymentFrequency, ChangeFailureRate:
	case ChangeLeadTime:
		e.add = func(d *Deployment, e *Evidence) { e.Value = rules.Elapsed(d.FirstCommitAt, d.DeployedAt) }
	case DeploymentReworkRate:
		e.add = func(d *Deployment, e *Evidence) { e.Counted = d.Rework }
	case DeploymentDuration:
		e.where += " AND deploy_start_at IS NOT NULL"
		e.add = func(d *Deployment, e *Evidence) { e.Value = rules.Elapsed(d.DeployStartAt, d.DeployedAt) }
	case UnfinishedDeployments:
		e.where, e.at = "deployed_at IS NULL", "began_at"
	default:
		return e, false
	}
	return e, true
}

func (m Metric) ofIncidents() (explanation[Incident], bool) {
	e := explanation[Incident]{where: "started_at IS NOT NULL", at: "started_at", add: func(*Incident, *Evidence) {}}
	switch m {
	case Incidents, OpenIncidents:
	case TimeToDetect:
		e.where = `EXISTS (SELECT 1 FROM deployments d WHERE d.id = incidents.deployment_id
			AND d.project_id = incidents.project_id AND d.environment = incidents.environment AND d.deployed_at IS NOT NULL)`
	case TimeToRestore, FailedDeploymentRecoveryTime:
		e.where, e.at = "restored_at IS NOT NULL", "restored_at"
		if m == FailedDeploymentRecoveryTime {
			e.where += " AND deployment_id IS NOT NULL"
		}
		e.add = func(i *Incident, e *Evidence) { e.Value = rules.Elapsed(i.StartedAt, i.RestoredAt) }
	default:
		return e, false
	}
	return e, true
}

func (f DoraFilter) conditions(c *conditions) {
	c.equal("project_id", f.Project)
	c.equal("team_id", f.Team)
	c.equal("environment", f.Environment)
}

func (s *Store) explainDeployments(ctx context.Context, e explanation[Deployment], q DoraQuery, page Page) ([]Evidence, *Cursor, error) {
	where := conditions{}
	where.add(e.where+" AND "+e.at+" >= ? AND "+e.at+" < ?", millis(q.From), millis(q.To))
	q.DoraFilter.conditions(&where)
	where.after(e.at, page.After)
	query, args := where.list("SELECT "+deploymentColumns+" FROM deployments", e.at, page)
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	found, err := collect(rows, scanDeployment)
	if err != nil {
		return nil, nil, err
	}
	found, next := trimPage(found, page.Limit, func(d *Deployment) Cursor {
		if d.DeployedAt.IsZero() {
			return deployments().position(d)
		}
		return Cursor{At: d.DeployedAt, Row: d.Row}
	})
	evidence := make([]Evidence, len(found))
	for i, d := range found {
		evidence[i] = Evidence{Deployment: d, Counted: true}
		e.add(d, &evidence[i])
	}
	return evidence, next, nil
}

func (s *Store) explainIncidents(ctx context.Context, e explanation[Incident], open bool, q DoraQuery, page Page) ([]Evidence, *Cursor, error) {
	where := conditions{}
	if open {
		where.add("started_at < ? AND (restored_at IS NULL OR restored_at >= ?)", millis(q.To), millis(q.To))
	} else {
		where.add(e.where+" AND "+e.at+" >= ? AND "+e.at+" < ?", millis(q.From), millis(q.To))
	}
	q.DoraFilter.conditions(&where)
	where.after(e.at, page.After)
	query, args := where.list("SELECT "+incidentColumns+" FROM incidents", e.at, page)
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	found, err := collect(rows, scanIncident)
	if err != nil {
		return nil, nil, err
	}
	found, next := trimPage(found, page.Limit, func(i *Incident) Cursor {
		if e.at == "restored_at" {
			return Cursor{At: i.RestoredAt, Row: i.Row}
		}
		return incidents().position(i)
	})
	evidence := make([]Evidence, len(found))
	for i, incident := range found {
		evidence[i] = Evidence{Incident: incident, Counted: true}
		e.add(incident, &evidence[i])
	}
	return evidence, next, nil
}

// IncidentsOf lists the ids of the incidents that are linked to a deployment, in
// the order in which they started.
func (s *Store) IncidentsOf(ctx context.Context, deployment Key) ([]string, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT id FROM incidents
		WHERE deployment_id = ? AND project_id = ? AND environment = ? ORDER BY started_at, row`,
		deployment.ID, deployment.Project, deployment.Environment)
	if err != nil {
		return nil, fmt.Errorf("find the incidents of a deployment: %w", storeError(err))
	}
	ids, err := collect(rows, func(rows *sql.Rows) (id string, err error) {
		err = rows.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("find the incidents of a deployment: %w", storeError(err))
	}
	return ids, nil
}
