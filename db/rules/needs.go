package rules

import (
	"strings"
	"time"
)

// MaxMatches is the most rows that are loaded for a [Ref] that several fit:
// enough to name them in an error.
const MaxMatches = 10

// Needs is what a batch of commands must know of what is stored. A store loads
// every row that one of these asks for, and may load more.
type Needs struct {
	// Deployments are those that match a Ref, at most [MaxMatches] of each in
	// the order of project and environment.
	Deployments []Ref
	// DeployedBefore are, for each, the newest deployment that was deployed in
	// a project and environment before a time.
	DeployedBefore []Before
	// Incidents are those that match a Ref, limited and ordered likewise.
	Incidents []Ref
	// LinkedIncidents are incidents whose environment a deployment decided.
	LinkedIncidents []Link
	// IdempotencyKeys are those of incidents with a generated id.
	IdempotencyKeys []IdempotencyKey
	// GeneratedIncidents are incidents with a generated id that started at a
	// given time.
	GeneratedIncidents []Generated
	// IncidentNumbers is, for each project, how many numbers for generated ids
	// may be needed.
	IncidentNumbers map[string]int
}

// Before asks for the newest deployment of a project and environment that was
// deployed before a time.
type Before struct {
	Project, Environment string
	Time                 time.Time
}

// Link asks for the incidents of a project with the id that are linked to a
// deployment with DeploymentID (any, if that is empty), at most [MaxMatches] in
// the order of environments, and for those in an environment in which the
// project has a deployment with DeploymentID.
type Link struct {
	Project, ID, DeploymentID string
}

// IdempotencyKey asks for the incident of a project that was recorded under the
// key.
type IdempotencyKey struct {
	Project, Key string
}

// Generated asks for the incidents of a project with a generated id, a start and
// a link to DeploymentID (none, if that is empty): one in the environment and
// one in each environment in which the project has a deployment with
// DeploymentID.
type Generated struct {
	Project, Environment, DeploymentID string
	StartedAt                          time.Time
}

// needNumber counts one more generated id, or one more id that may take it.
func (n *Needs) needNumber(project string) {
	if n.IncidentNumbers == nil {
		n.IncidentNumbers = map[string]int{}
	}
	n.IncidentNumbers[project]++
}

func (c StartDeployment) needs(n *Needs) { n.Deployments = append(n.Deployments, c.Key.ref()) }

func (c FinishDeployment) needs(n *Needs) {
	n.Deployments = append(n.Deployments, c.Ref)
	if c.Create != nil && c.Create.Key.ref() != c.Ref {
		c.Create.needs(n)
	}
}

func (c OpenIncident) needs(n *Needs) {
	switch {
	case c.ID != "":
		n.Incidents = append(n.Incidents, c.Key.ref())
		if c.AnyEnvironment || c.DeploymentID != "" {
			n.LinkedIncidents = append(n.LinkedIncidents, Link{c.Project, c.ID, c.DeploymentID})
		}
		if strings.HasPrefix(c.ID, generatedID(c.Project, "")) {
			n.needNumber(c.Project) // the id may be the next one to be generated
		}
	case c.IdempotencyKey != "":
		n.IdempotencyKeys = append(n.IdempotencyKeys, IdempotencyKey{c.Project, c.IdempotencyKey})
		n.needNumber(c.Project)
	default:
		if !c.StartedAt.IsZero() {
			n.GeneratedIncidents = append(n.GeneratedIncidents, Generated{c.Project, c.Environment, c.DeploymentID, precise(c.StartedAt)})
		}
		n.needNumber(c.Project)
	}
	if c.DeploymentID != "" {
		n.Deployments = append(n.Deployments, Ref{c.DeploymentID, c.Project, c.Environment})
		if c.AnyEnvironment && c.Environment != "" {
			n.Deployments = append(n.Deployments, Ref{ID: c.DeploymentID, Project: c.Project})
		}
	}
}

func (c RestoreIncident) needs(n *Needs) { n.Incidents = append(n.Incidents, c.Ref) }

func (c FinishIncident) needs(n *Needs) { n.Incidents = append(n.Incidents, c.Ref) }
