package rules

import (
	"cmp"
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
	// Neighbors are those of deployments that may become deployed.
	Neighbors []Neighbors
	// Incidents are those that match a Ref, limited and ordered likewise.
	Incidents []Ref
	// LinkedIncidents are incidents whose environment a deployment decided.
	LinkedIncidents []Link
	// IdempotencyKeys are those of incidents with a generated id.
	IdempotencyKeys []IdempotencyKey
	// GeneratedIncidents are incidents with a generated id that started at a
	// given time.
	GeneratedIncidents []Generated

	// started are the deployments that the commands may add, by project and id, and
	// created are all of them by id.
	started map[[2]string][]Key
	created map[string][]StartDeployment

	numbers   map[string]int  // how many numbers the incidents of a project may use up
	generates map[string]bool // an id may be generated for an incident of the project
}

// IncidentNumbers returns, for each project for which an incident id may be
// generated, how many free numbers may be needed.
func (n *Needs) IncidentNumbers() map[string]int {
	needed := make(map[string]int, len(n.generates))
	for project := range n.generates {
		needed[project] = n.numbers[project]
	}
	return needed
}

// Before asks for the newest deployment of a project and environment that was
// deployed before a time.
type Before struct {
	Project, Environment string
	Time                 time.Time
}

// Neighbors asks for what decides whether a deployment is a rollback, and for what a
// rollback changes. The deployments it is about are those that match Ref, and one in
// the project and environment of Ref if both are given, recorded or not. Asked for
// are, in the environment of each of them,
//   - the newest deployment that was deployed before At, which is live,
//   - the newest deployment that is deployed,
//   - the first deployments with the commit and with that of the live one,
//   - and the open incidents linked to the live deployment and to it.
type Neighbors struct {
	Ref
	// At is when it will be deployed. Zero means the recorded plan, or now.
	At time.Time
	// Commit is its name, unless another one is recorded.
	Commit string
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

// needNumber counts one more incident. A generated id takes a number. Any other
// incident moves the next number up by one, and once more if its id is that of
// the number.
func (n *Needs) needNumber(c OpenIncident) {
	if n.numbers == nil {
		n.numbers, n.generates = map[string]int{}, map[string]bool{}
	}
	n.numbers[c.Project]++
	switch {
	case c.ID == "":
		n.generates[c.Project] = true
	case strings.HasPrefix(c.ID, generatedID(c.Project, "")):
		n.numbers[c.Project]++
	}
}

func (c StartDeployment) needs(n *Needs) {
	n.Deployments = append(n.Deployments, c.Key.ref())
	if n.started == nil {
		n.started, n.created = map[[2]string][]Key{}, map[string][]StartDeployment{}
	}
	of := [2]string{c.Project, c.ID}
	n.started[of] = append(n.started[of], c.Key)
	n.created[c.ID] = append(n.created[c.ID], c)
}

func (c FinishDeployment) needs(n *Needs) {
	n.Deployments = append(n.Deployments, c.Ref)
	if c.Create != nil {
		c.Create.needs(n)
	}
	n.addNeighbors(c.Ref, c.DeployedAt, c.Commit)
	for _, started := range n.created[c.ID] {
		if c.Ref.matches(started.Key) {
			n.addNeighbors(started.Key.ref(), firstKnown(c.DeployedAt, started.DeployedAt), cmp.Or(started.Commit, c.Commit))
			n.addNeighbors(started.Key.ref(), firstKnown(c.DeployedAt, started.DeployedAt), cmp.Or(c.Commit, started.Commit))
		}
	}
}

func (n *Needs) addNeighbors(ref Ref, at time.Time, commit string) {
	n.Neighbors = append(n.Neighbors, Neighbors{ref, precise(at), CommitName(commit)})
}

func (c AbortDeployment) needs(n *Needs) {
	n.Deployments = append(n.Deployments, c.Ref)
	if c.Create != nil {
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
		for _, d := range n.started[[2]string{c.Project, c.DeploymentID}] {
			n.Incidents = append(n.Incidents, Ref{c.ID, d.Project, d.Environment})
		}
	case c.IdempotencyKey != "":
		n.IdempotencyKeys = append(n.IdempotencyKeys, IdempotencyKey{c.Project, c.IdempotencyKey})
	case !c.StartedAt.IsZero():
		n.GeneratedIncidents = append(n.GeneratedIncidents, Generated{c.Project, c.Environment, c.DeploymentID, precise(c.StartedAt)})
	}
	n.needNumber(c)
	if c.DeploymentID != "" {
		n.Deployments = append(n.Deployments, Ref{c.DeploymentID, c.Project, c.Environment})
		if c.AnyEnvironment && c.Environment != "" {
			n.Deployments = append(n.Deployments, Ref{ID: c.DeploymentID, Project: c.Project})
		}
	}
}

func (c RestoreIncident) needs(n *Needs) { n.Incidents = append(n.Incidents, c.Ref) }

func (c FinishIncident) needs(n *Needs) { n.Incidents = append(n.Incidents, c.Ref) }
