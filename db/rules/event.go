package rules

import "time"

// Kind is the kind of an [Event].
type Kind string

// The kinds of events. Each happens at most once for a deployment or incident.
const (
	DeploymentStarted  Kind = "deployment_started"
	DeploymentDeployed Kind = "deployment_deployed"
	DeploymentAborted  Kind = "deployment_aborted"
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

// NullBool is a bool that may be unknown: V counts only where Valid.
type NullBool struct{ V, Valid bool }

// NullInt is a number that may be unknown: V counts only where Valid.
type NullInt struct {
	V     int
	Valid bool
}

// NoLeadTime is why a deployed deployment has no lead time.
type NoLeadTime string

// The reasons.
const (
	IsRollback      NoLeadTime = "rollback"         // it went back to an earlier commit
	IsRedeployment  NoLeadTime = "redeployment"     // its commit had been deployed before
	FirstDeployment NoLeadTime = "first_deployment" // it would have the whole history
	NoCommits       NoLeadTime = "no_commits"       // it brought none
	CommitsUnknown  NoLeadTime = "commits_unknown"  // the client sent neither dates nor commits
)

// FailureCause is the cause of the failure of a deployment.
type FailureCause string

// The causes.
const (
	LinkedIncident FailureCause = "incident"
	RolledBack     FailureCause = "rollback" // by a deployment of an earlier commit
	ToldFailed     FailureCause = "request"  // the client said so
)

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
