// Package dora defines the DORA figures and computes them from deployments and
// incidents that its caller has read. It does no I/O.
package dora

import "slices"

// Name identifies a figure in the API.
type Name string

// The four keys, as both reports name them, and rework.
const (
	DeploymentFrequency          Name = "deployment_frequency"
	ChangeLeadTime               Name = "change_lead_time"
	CommitLeadTime               Name = "commit_lead_time"
	ChangeFailureRate            Name = "change_failure_rate"
	FailedDeploymentRecoveryTime Name = "failed_deployment_recovery_time"
	TimeToRestore                Name = "time_to_restore"
	DeploymentReworkRate         Name = "deployment_rework_rate"
)

// Kind is the shape of a figure and of its [Value].
type Kind int

// The kinds.
const (
	Count     Kind = iota // how many
	Frequency             // how many, per day, and on how many days
	Ratio                 // how many of all
	Duration              // a distribution
)

// Source is the set of deployments or incidents in a window that a figure is
// computed from.
type Source int

// The sources.
const (
	DeployedDeployments   Source = iota // by when they were deployed
	DeployedCommits                     // of DeployedDeployments, where they are known
	RecoveredDeployments                // failed and deployed, by when the last of their incidents was restored, or by when they were rolled back
	UnfinishedDeployments               // by when they began; neither deployed nor aborted to this day
	AbortedDeployments                  // by when they were aborted; not deployed to this day
	StartedIncidents                    // by when they started
	RestoredIncidents                   // by when they were restored
	OpenIncidents                       // started before the end of the window and not restored by then
)

// Subject returns what the source consists of: "deployment", "commit" or "incident".
func (s Source) Subject() string {
	switch s {
	case DeployedDeployments, RecoveredDeployments, UnfinishedDeployments, AbortedDeployments:
		return "deployment"
	case DeployedCommits:
		return "commit"
	case StartedIncidents, RestoredIncidents, OpenIncidents:
	}
	return "incident"
}

// Field is the name of a stored field of a deployment or an incident.
type Field string

// Figure is a row of the table of figures.
type Figure struct {
	Name  Name
	Title string // for people
	About string // what the figure is, a sentence for people; of the keys only
	Kind  Kind
	// HigherIsBetter is set if an increase is an improvement.
	HigherIsBetter bool
	// HasBands is set if a report of DORA has bands for the figure.
	HasBands bool

	Source Source
	// From is the date at which a Duration begins. It ends at the date by which
	// the source falls into the window. Without a From there is no sample.
	From Field
	// Part is set on those that the numerator of a Ratio counts, and PartName
	// is the name of their number. The denominator counts all of the source.
	Part     Field
	PartName string

	// Value reads the figure from the totals of a window.
	Value func(Totals) Value
	// Gauges show the figure in Prometheus.
	Gauges []Gauge
}

// AtEnd reports whether the figure describes the end of the window, so that it
// is the same for all windows that end together.
func (f Figure) AtEnd() bool { return f.Source == OpenIncidents }

// Figures returns the table of figures in the order of the API: the four keys
// and rework first. Everything that shows figures ranges over it.
func Figures() []Figure {
	return []Figure{
		{
			Name: DeploymentFrequency, Title: "Deployment frequency", Kind: Frequency, HigherIsBetter: true, HasBands: true,
			About:  "How often deployments were deployed.",
			Source: DeployedDeployments,
			Value:  func(t Totals) Value { return Value{Count: t.Deployments, Days: t.DeploymentDays, Length: t.Length} },
			Gauges: []Gauge{
				{"dora_deployments", "{deployment}", "Deployments deployed in the window.", count},
				{"dora_deployments_per_day", "", "Deployments of the window divided by its days.", perDay},
				{"dora_deployment_days", "{day}", "Days of the window with a deployment, in UTC.", days},
			},
		},
		{
			Name: ChangeLeadTime, Title: "Change lead time", Kind: Duration, HasBands: true,
			About:  "Time until a deployment was deployed, from the oldest of its commits: one sample for each deployment.",
			Source: DeployedDeployments, From: "first_commit_at",
			Value: func(t Totals) Value { return Value{Distribution: t.LeadTime} },
			Gauges: durationGauges("dora_lead_time", "{deployment}",
				"Time from the oldest commit of a deployment until it was deployed, of deployments of the window."),
		},
		{
			Name: ChangeFailureRate, Title: "Change failure rate", Kind: Ratio, HasBands: true,
			About:  "Deployments with at least one incident linked to them or that were rolled back, of all deployments.",
			Source: DeployedDeployments, Part: "failed", PartName: "failed_deployments",
			Value: func(t Totals) Value {
				return Value{
					Count: t.FailedDeployments, Whole: t.Deployments, Unlinked: t.UnlinkedIncidents,
					NoneLinked: t.FailedDeployments == 0 && t.UnlinkedIncidents > 0 && t.UnlinkedIncidents == t.Incidents,
				}
			},
			Gauges: []Gauge{
				{"dora_failed_deployments", "{deployment}", "Deployments of the window with an incident linked to them or that were rolled back.", count},
				{"dora_change_failure_ratio", "", "Failed deployments divided by deployments. Absent without a deployment.", ratio},
			},
		},
		{
			Name: FailedDeploymentRecoveryTime, Title: "Failed deployment recovery time", Kind: Duration, HasBands: true,
			About:  "Time until all incidents of a failed deployment were restored, or until it was rolled back: one sample for each failed deployment.",
			Source: RecoveredDeployments, From: "first_incident_at",
			Value: func(t Totals) Value { return Value{Distribution: t.FailedDeploymentRecovery} },
			Gauges: durationGauges("dora_failed_deployment_recovery", "{deployment}",
				"Time from the first incident of a failed deployment until all its incidents were restored, or until a deployment without incidents was rolled back, of those recovered in the window."),
		},
		{
			Name: DeploymentReworkRate, Title: "Deployment rework rate", Kind: Ratio,
			About:  "Deployments that were unplanned, because of an incident or a bug that users met, of all deployments.",
			Source: DeployedDeployments, Part: "rework", PartName: "rework_deployments",
			Value: func(t Totals) Value { return Value{Count: t.ReworkDeployments, Whole: t.Deployments} },
			Gauges: []Gauge{
				{"dora_rework_ratio", "", "Unplanned deployments, because of an incident or a bug that users met, divided by deployments. Absent without a deployment.", ratio},
			},
		},
		{
			Name: CommitLeadTime, Title: "Commit lead time", Kind: Duration,
			About:  "Time from each commit until it was deployed: one sample for each commit, where commits are known.",
			Source: DeployedCommits, From: "at",
			Value: func(t Totals) Value { return Value{Distribution: t.CommitLeadTime} },
			Gauges: durationGauges("dora_commit_lead_time", "{commit}",
				"Time from each commit of a deployment until it was deployed, of deployments of the window whose commits are known."),
		},
		{
			Name: "deployment_duration", Title: "Deployment duration", Kind: Duration,
			Source: DeployedDeployments, From: "deploy_start_at",
			Value: func(t Totals) Value { return Value{Distribution: t.DeploymentDuration} },
			Gauges: durationGauges("dora_deployment_duration", "{deployment}",
				"Time from the start of a deployment to its end, of deployments of the window."),
		},
		{
			Name: "unfinished_deployments", Title: "Unfinished deployments", Kind: Count, Source: UnfinishedDeployments,
			Value: func(t Totals) Value { return Value{Count: t.UnfinishedDeployments} },
			Gauges: []Gauge{
				{"dora_deployments_unfinished", "{deployment}", "Deployments that began in the window and were neither deployed nor aborted.", count},
			},
		},
		{
			Name: "aborted_deployments", Title: "Aborted deployments", Kind: Count, Source: AbortedDeployments,
			Value: func(t Totals) Value { return Value{Count: t.AbortedDeployments} },
			Gauges: []Gauge{
				{"dora_deployments_aborted", "{deployment}", "Deployments that were aborted in the window and not deployed since.", count},
			},
		},
		{
			Name: TimeToRestore, Title: "Time to restore", Kind: Duration, HasBands: true,
			Source: RestoredIncidents, From: "started_at",
			Value: func(t Totals) Value { return Value{Distribution: t.TimeToRestore} },
			Gauges: durationGauges("dora_time_to_restore", "{incident}",
				"Duration of incidents, of those restored in the window."),
		},
		{
			Name: "time_to_detect", Title: "Time to detect", Kind: Duration,
			Source: StartedIncidents, From: "deployment_deployed_at",
			Value: func(t Totals) Value { return Value{Distribution: t.TimeToDetect} },
			Gauges: durationGauges("dora_time_to_detect", "{incident}",
				"Time from a deployment to an incident linked to it, of those that started in the window."),
		},
		{
			Name: "incidents", Title: "Incidents", Kind: Count, Source: StartedIncidents,
			Value:  func(t Totals) Value { return Value{Count: t.Incidents} },
			Gauges: []Gauge{{"dora_incidents", "{incident}", "Incidents that started in the window.", count}},
		},
		{
			Name: "open_incidents", Title: "Open incidents", Kind: Count, Source: OpenIncidents,
			Value:  func(t Totals) Value { return Value{Count: t.OpenIncidents} },
			Gauges: []Gauge{{"dora_incidents_open", "{incident}", "Incidents not yet restored.", count}},
		},
	}
}

// Find returns the figure of that name, or else the one that the gauge of that
// name shows, and false if there is none.
func Find(name Name) (Figure, bool) {
	figures := Figures()
	i := slices.IndexFunc(figures, func(f Figure) bool {
		return f.Name == name || slices.ContainsFunc(f.Gauges, func(g Gauge) bool { return g.FullName() == string(name) })
	})
	if i < 0 {
		return Figure{}, false
	}
	return figures[i], true
}
