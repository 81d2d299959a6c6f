package rules

import "time"

// Kind is the kind of an [Event].
type Kind string

// The kinds of events. Each happens at most once for a deployment or incident.
const (
	DeploymentStarted  Kind = "deployment_started"
	DeploymentDeployed Kind = "deployment_deployed"
	ChangeFailed       Kind = "change_failed"
	IncidentStarted    Kind = "incident_started"
	IncidentLinked     Kind = "incident_linked"
	IncidentRestored   Kind = "incident_restored"
	IncidentFinished   Kind = "incident_finished"
)

// NullDuration is a duration that may be unknown: V counts only where Valid.
type NullDuration struct {
	V     time.Duration
	Valid bool
}

// Event is a fact about a deployment or an incident. Events are never changed
// or removed, and Seq grows with every event.
type Event struct {
	Seq         int64
	Kind        Kind
	Project     string
	Environment string
	Team        string // empty: unknown
	Subject     string // the id of the deployment or incident
	OccurredAt  time.Time
	RecordedAt  time.Time

	// The durations measured by the event, each at millisecond precision and
	// never negative.
	LeadTime           NullDuration
	DeploymentDuration NullDuration
	TimeToDetect       NullDuration
	TimeToRestore      NullDuration
}
