package db

import "github.com/em-metrics/em-metrics/db/rules"

// The commands, rows and events of a store are those of package rules. They have
// names here too, so that whoever uses a store needs only this package.
type (
	Key              = rules.Key
	Ref              = rules.Ref
	TeamFunc         = rules.TeamFunc
	Command          = rules.Command
	Outcome          = rules.Outcome
	StartDeployment  = rules.StartDeployment
	FinishDeployment = rules.FinishDeployment
	OpenIncident     = rules.OpenIncident
	RestoreIncident  = rules.RestoreIncident
	FinishIncident   = rules.FinishIncident
	Deployment       = rules.Deployment
	Incident         = rules.Incident
	Event            = rules.Event
	Kind             = rules.Kind
	NullDuration     = rules.NullDuration
	Error            = rules.Error
	FieldError       = rules.FieldError
	Code             = rules.Code
)

// ClockTolerance is how far two clocks may disagree; see package rules.
const ClockTolerance = rules.ClockTolerance

// The kinds of events.
const (
	DeploymentStarted  = rules.DeploymentStarted
	DeploymentDeployed = rules.DeploymentDeployed
	ChangeFailed       = rules.ChangeFailed
	IncidentStarted    = rules.IncidentStarted
	IncidentLinked     = rules.IncidentLinked
	IncidentRestored   = rules.IncidentRestored
	IncidentFinished   = rules.IncidentFinished
)

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

// CheckName checks an id or another name as the store does. Its error continues
// a sentence that begins with the field.
func CheckName(value string) error { return rules.CheckName(value) }

// Excerpt returns the first 60 bytes of a text for an error message; see package
// rules.
func Excerpt(text string) string { return rules.Excerpt(text) }

// Quote returns the excerpt of a text in quotes.
func Quote(text string) string { return rules.Quote(text) }
