package db

import (
	"time"

	"github.com/em-metrics/em-metrics/db/rules"
)

// The commands, rows and events of a store are those of package rules. They have
// names here too, so that whoever uses a store needs only this package.

type (
	// Key identifies one deployment or one incident.
	Key = rules.Key
	// Ref refers to a stored deployment or incident by its id.
	Ref = rules.Ref
	// TeamFunc returns the team responsible for a project.
	TeamFunc = rules.TeamFunc
	// Command is one change of what is stored.
	Command = rules.Command
	// Outcome is the result of a command.
	Outcome = rules.Outcome
	// StartDeployment records that a deployment started.
	StartDeployment = rules.StartDeployment
	// FinishDeployment records that a deployment is running in its environment.
	FinishDeployment = rules.FinishDeployment
	// AbortDeployment records that a deployment was abandoned.
	AbortDeployment = rules.AbortDeployment
	// OpenIncident records an incident.
	OpenIncident = rules.OpenIncident
	// RestoreIncident records that service was restored.
	RestoreIncident = rules.RestoreIncident
	// FinishIncident records that an incident was closed.
	FinishIncident = rules.FinishIncident
	// Deployment is a stored deployment.
	Deployment = rules.Deployment
	// Incident is a stored incident.
	Incident = rules.Incident
	// Event is a fact about a deployment or an incident.
	Event = rules.Event
	// Kind is the kind of an [Event].
	Kind = rules.Kind
	// NullDuration is a duration that may be unknown.
	NullDuration = rules.NullDuration
	// NullBool is a bool that may be unknown.
	NullBool = rules.NullBool
	// NullInt is a number that may be unknown.
	NullInt = rules.NullInt
	// Commit is a commit that a deployment brought.
	Commit = rules.Commit
	// Error is a failure that a caller can act on.
	Error = rules.Error
	// FieldError describes what is wrong with one field of a command.
	FieldError = rules.FieldError
	// Code classifies an [Error].
	Code = rules.Code
)

// ClockTolerance is how far two clocks may disagree; see package rules.
const ClockTolerance = rules.ClockTolerance

// The kinds of events.
const (
	DeploymentStarted  = rules.DeploymentStarted
	DeploymentDeployed = rules.DeploymentDeployed
	DeploymentAborted  = rules.DeploymentAborted
	ChangeFailed       = rules.ChangeFailed
	IncidentStarted    = rules.IncidentStarted
	IncidentLinked     = rules.IncidentLinked
	IncidentRestored   = rules.IncidentRestored
	IncidentFinished   = rules.IncidentFinished
)

// MaxCommits is the maximum number of commits of a deployment.
const MaxCommits = rules.MaxCommits

// The codes of an [Error].
const (
	Missing     = rules.Missing
	Malformed   = rules.Malformed
	Invalid     = rules.Invalid
	NotFound    = rules.NotFound
	Conflict    = rules.Conflict
	Ambiguous   = rules.Ambiguous
	Unavailable = rules.Unavailable
)

// HasCode reports whether err is, or wraps, an [Error] with the code.
func HasCode(err error, code Code) bool { return rules.HasCode(err, code) }

// Elapsed is the measured time between two dates; see package rules.
func Elapsed(from, to time.Time) NullDuration { return rules.Elapsed(from, to) }

// CheckName checks an id or another name as the store does. Its error continues
// a sentence that begins with the field.
func CheckName(value string) error { return rules.CheckName(value) }

// Excerpt returns the first 60 bytes of a text for an error message; see package
// rules.
func Excerpt(text string) string { return rules.Excerpt(text) }

// Quote returns the excerpt of a text in quotes.
func Quote(text string) string { return rules.Quote(text) }
