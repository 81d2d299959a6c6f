package rules

import "time"

// ClockTolerance is how far two clocks may disagree: dates that are out of
// order or in the future by no more than this are accepted, and a duration
// that would be negative counts as zero.
const ClockTolerance = 5 * time.Minute

// Key identifies one deployment or one incident. A CI run number is unique only
// within its project, and one run may deploy to several environments.
type Key struct {
	Project     string
	Environment string
	ID          string
}

// Ref refers to a stored deployment or incident by its id. Project and
// Environment choose when several have that id; an empty one matches any.
type Ref struct {
	ID          string
	Project     string
	Environment string
}

func (r Ref) matches(k Key) bool {
	return k.ID == r.ID && (r.Project == "" || r.Project == k.Project) &&
		(r.Environment == "" || r.Environment == k.Environment)
}

func (k Key) ref() Ref { return Ref{ID: k.ID, Project: k.Project, Environment: k.Environment} }

// TeamFunc returns the team responsible for a project, or "" when it is not
// known. A command carries one because the project of a [Ref] is known only
// once its row has been read. It must not block.
type TeamFunc func(project string) string

// Command is one change of what is stored: a [StartDeployment],
// [FinishDeployment], [AbortDeployment], [OpenIncident], [RestoreIncident] or
// [FinishIncident].
// Repeating a command changes nothing.
type Command interface {
	// names lists the names in the command, which must be well formed.
	names() []name
	// needs adds what must be loaded before the command can be decided.
	needs(n *Needs)
	// decide applies the command to the state. It changes nothing when it
	// returns an error.
	decide(s *State) (Outcome, error)
}

// Outcome is the result of a command: the deployment or the incident as it is
// stored now, and whether the command created it.
type Outcome struct {
	Deployment *Deployment
	Incident   *Incident
	Created    bool
	// Superseded reports that a repeated [FinishDeployment] is of a deployment after
	// which another one was deployed to its environment.
	Superseded bool
}

// StartDeployment records that a deployment started.
type StartDeployment struct {
	Key
	// FirstCommitAt is when the oldest commit of the change was made. Zero means
	// the earliest of Commits.
	FirstCommitAt time.Time
	// FirstCommitUnknown allows a new deployment without FirstCommitAt, Commit and
	// Commits. It then has no lead time.
	FirstCommitUnknown bool
	// Commit is the name of the deployed revision. Empty means unknown.
	Commit string
	// Commits are those that the deployment brings. Nil means unknown, empty means
	// that there are none.
	Commits []Commit
	// Rollback reports whether the deployment goes back to an earlier commit. Otherwise
	// that is decided when it is deployed.
	Rollback NullBool
	// Failed marks a deployment that is known to have failed in production.
	Failed bool
	// DeployStartAt is when the deployment began. Zero means now, or DeployedAt if
	// that is earlier.
	DeployStartAt time.Time
	// DeployedAt is the date that a later [FinishDeployment] without one will
	// use. Zero means none.
	DeployedAt time.Time
	// Rework marks an unplanned deployment that repairs something in
	// production.
	Rework bool
	// Team is called when the deployment is new. Nil means no team.
	Team TeamFunc
	// FillTeam allows Team to fill in an unknown team later, because a user was
	// named.
	FillTeam bool
}

// FinishDeployment records that a deployment is running in its environment.
type FinishDeployment struct {
	Ref
	// FirstCommitAt must be the recorded one, if a deployment without a commit
	// matches Ref. Zero matches any.
	FirstCommitAt time.Time
	// Commit, Commits, Rollback and Failed are those of [StartDeployment]. They fill
	// in what is not recorded yet; another Commit is an error.
	Commit   string
	Commits  []Commit
	Rollback NullBool
	Failed   bool
	// DeployedAt is when it was deployed. Zero means the date given at the
	// start, or now. A deployment that is already deployed keeps its date: a job
	// that runs again states a later one.
	DeployedAt time.Time
	// Rework marks an unplanned deployment that repairs something in
	// production.
	Rework bool
	// Create is used when nothing matches Ref: the deployment is then recorded
	// as started and deployed. Its Key must be complete, and what the two have in
	// common is taken from it. A zero DeployStartAt means that the start is unknown, and no
	// deployment duration is measured. With a nil Create an unknown deployment
	// is an error.
	Create *StartDeployment
	// Team, if not nil, may fill in an unknown team.
	Team TeamFunc
}

// AbortDeployment records that a deployment was abandoned because its pipeline
// failed or was canceled. One that is deployed cannot be aborted; one that was
// aborted can still be deployed.
type AbortDeployment struct {
	Ref
	// At is when it was abandoned. Zero means now. A deployment that is already
	// aborted keeps its date.
	At time.Time
	// Create is used when nothing matches Ref: the deployment is then recorded as
	// started and aborted. With a nil Create an unknown deployment is an error.
	Create *StartDeployment
	// Team, if not nil, may fill in an unknown team.
	Team TeamFunc
}

// OpenIncident records an incident: that it started and, where the dates are
// given, that it was restored and finished.
type OpenIncident struct {
	// Key identifies the incident. With an empty ID one is generated.
	Key
	// AnyEnvironment marks Environment as a default that a linked deployment
	// overrides.
	AnyEnvironment bool
	// DeploymentID is the deployment that caused it, if any.
	DeploymentID string
	// StartedAt is when it began. Zero means now.
	StartedAt time.Time
	// RestoredAt is when service was restored. Zero means not yet.
	RestoredAt time.Time
	// FinishedAt is when it was closed, which implies that it was restored.
	FinishedAt time.Time
	// IdempotencyKey distinguishes a retry of an incident without an ID from a
	// second incident. Empty means none.
	IdempotencyKey string
	// Team is called when the incident is new. Nil means no team.
	Team TeamFunc
	// FillTeam allows Team to fill in an unknown team later.
	FillTeam bool
}

// RestoreIncident records that service was restored.
type RestoreIncident struct {
	Ref
	// At is when it was restored. Zero means now.
	At time.Time
	// Team, if not nil, may fill in an unknown team.
	Team TeamFunc
}

// FinishIncident records that an incident was closed, and restored if it was
// not yet.
type FinishIncident struct {
	Ref
	// At is when it was closed. Zero means now.
	At time.Time
	// Team, if not nil, may fill in an unknown team.
	Team TeamFunc
}
