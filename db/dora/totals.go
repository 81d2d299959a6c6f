package dora

import "time"

// Totals are the counts and distributions of one window, from which every
// figure of the table is read. docs/dora.md defines each of them.
type Totals struct {
	// Length of the window.
	Length time.Duration
	Counts
	// LeadTime is the time from the oldest commit until deployed, of the
	// deployments deployed in the window.
	LeadTime Distribution
	// CommitLeadTime is the time from each commit until deployed, of the commits of
	// the deployments deployed in the window, where they are known.
	CommitLeadTime Distribution
	// DeploymentDuration is the time from the start of a deployment until
	// deployed, of those deployed in the window whose start is known.
	DeploymentDuration Distribution
	// FailedDeploymentRecovery is the time from the first incident of a failed
	// deployment, or from the deployment, until the last of its incidents was
	// restored or, without incidents, from the deployment until a rollback replaced
	// it, of those recovered in the window.
	FailedDeploymentRecovery Distribution
	// TimeToRestore is the duration of incidents, of those restored in the
	// window.
	TimeToRestore Distribution
	// TimeToDetect is the time from a deployment until an incident linked to
	// it, of the incidents that started in the window. The deployment must
	// have been deployed.
	TimeToDetect Distribution
}

// Counts are the numbers of deployments and incidents of one window.
type Counts struct {
	// Deployments deployed in the window.
	Deployments int64
	// DeploymentDays is the number of calendar days with a deployment.
	DeploymentDays int64
	// FailedDeployments are those of Deployments with an incident linked to
	// them, whenever it started, that were rolled back or were reported as failed.
	FailedDeployments int64
	// ReworkDeployments are those of Deployments that were unplanned, because of an
	// incident or a bug that users met.
	ReworkDeployments int64
	// UnfinishedDeployments began in the window and are neither deployed nor aborted
	// to this day.
	UnfinishedDeployments int64
	// AbortedDeployments were aborted in the window and are not deployed to this day.
	AbortedDeployments int64
	// Incidents started in the window.
	Incidents int64
	// UnlinkedIncidents are those of Incidents that are linked to no deployment.
	UnlinkedIncidents int64
	// OpenIncidents had started and were not restored when the window ended,
	// whenever they started.
	OpenIncidents int64
}

// Unknown is a time that is null in the store.
const Unknown = -1

// Deployment is a deployment that was deployed, with what its figures are
// computed from. Times are Unix milliseconds, or Unknown, because a query reads
// a million rows and more.
type Deployment struct {
	FirstCommitAt, DeployStartAt, DeployedAt int64
	Failed, Rework                           bool
}

// Commits are the dates of the commits of a deployment that was deployed. Times are
// Unix milliseconds. At is not kept.
type Commits struct {
	DeployedAt int64
	At         []int64
}

// Recovery is a failed deployment that was deployed and whose incidents are all
// restored, or that was rolled back, with what its figure is computed from. Times are Unix milliseconds.
type Recovery struct {
	// StartedAt is the date that the [RecoveryStart] of the query names.
	StartedAt int64
	// RecoveredAt is when the last of its incidents was restored, or when the
	// rollback was deployed.
	RecoveredAt int64
}

// Incident is an incident with what its figures are computed from. Times are
// Unix milliseconds, or Unknown.
type Incident struct {
	StartedAt, RestoredAt int64
	// Linked reports whether the incident is linked to a deployment, and
	// DeploymentDeployedAt is when that was deployed.
	Linked               bool
	DeploymentDeployedAt int64
}

// add adds the counts of another bucket. It leaves out DeploymentDays and
// OpenIncidents, which are not sums.
func (c *Counts) add(other Counts) {
	c.Deployments += other.Deployments
	c.FailedDeployments += other.FailedDeployments
	c.ReworkDeployments += other.ReworkDeployments
	c.UnfinishedDeployments += other.UnfinishedDeployments
	c.AbortedDeployments += other.AbortedDeployments
	c.Incidents += other.Incidents
	c.UnlinkedIncidents += other.UnlinkedIncidents
}

// accumulator collects the totals of one group in one bucket. Two of the counts
// are kept in another form, from which those of several buckets follow: the days,
// and how many more incidents are open than in the bucket before.
type accumulator struct {
	Counts
	days                         []int32 // with a deployment, in order
	opened                       int64
	lead, commitLead, duration   []int64 // milliseconds
	recovery, restore, detection []int64
}

func (a *accumulator) addDeployment(d *Deployment, day int64) {
	a.Deployments++
	if n := len(a.days); n == 0 || int64(a.days[n-1]) != day { // deployments come in the order of their dates
		a.days = append(a.days, int32(day))
	}
	if d.Failed {
		a.FailedDeployments++
	}
	if d.Rework {
		a.ReworkDeployments++
	}
	a.lead = appendElapsed(a.lead, d.FirstCommitAt, d.DeployedAt)
	a.duration = appendElapsed(a.duration, d.DeployStartAt, d.DeployedAt)
}

func (a *accumulator) addCommits(c *Commits) {
	for _, at := range c.At {
		a.commitLead = appendElapsed(a.commitLead, at, c.DeployedAt)
	}
}

func (a *accumulator) addStarted(i *Incident) {
	a.Incidents++
	if !i.Linked {
		a.UnlinkedIncidents++
	}
	a.detection = appendElapsed(a.detection, i.DeploymentDeployedAt, i.StartedAt)
}

func (a *accumulator) addRestored(i *Incident) {
	a.restore = appendElapsed(a.restore, i.StartedAt, i.RestoredAt)
}

func (a *accumulator) addRecovery(r *Recovery) {
	a.recovery = appendElapsed(a.recovery, r.StartedAt, r.RecoveredAt)
}

// appendElapsed adds the time between two dates to the samples, if both are
// known. It is never negative: clocks disagree.
func appendElapsed(samples []int64, from, to int64) []int64 {
	if from == Unknown || to == Unknown {
		return samples
	}
	return append(samples, max(0, to-from))
}

// totals returns the totals of a bucket of that length, at whose end so many
// incidents are open.
func (a *accumulator) totals(length time.Duration, open int64) Totals {
	t := Totals{
		Length: length, Counts: a.Counts,
		LeadTime:                 newDistribution(a.lead),
		CommitLeadTime:           newDistribution(a.commitLead),
		DeploymentDuration:       newDistribution(a.duration),
		FailedDeploymentRecovery: newDistribution(a.recovery),
		TimeToRestore:            newDistribution(a.restore),
		TimeToDetect:             newDistribution(a.detection),
	}
	t.DeploymentDays, t.OpenIncidents = int64(len(a.days)), open
	return t
}
