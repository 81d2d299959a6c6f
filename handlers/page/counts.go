package page

import (
	"fmt"

	"github.com/em-metrics/em-metrics/db/dora"
)

// counts says what counts for a figure and what does not.
func counts(f dora.Figure, t dora.Totals, q Query) (rules []string) {
	if f.About != "" {
		rules = append(rules, f.About)
	}
	rules = append(rules, describeSource(f.Source))
	if f.Kind == dora.Ratio && f.Name == dora.ChangeFailureRate {
		rules = append(rules, "A deployment counts as failed once, however many incidents are linked to it and whenever they started.")
		if t.UnlinkedIncidents > 0 {
			rules = append(rules, fmt.Sprintf("%s linked to no deployment, and so %s no deployment a failed one.",
				ofAll(t.UnlinkedIncidents, t.Incidents, "incident", "of this window"), verb(t.UnlinkedIncidents, "makes", "make")))
		}
	}
	if f.Kind == dora.Duration {
		rules = append(rules, describeDuration(f, t, q)...)
	}
	if f.Source == dora.DeployedDeployments && t.UnfinishedDeployments > 0 {
		rules = append(rules, fmt.Sprintf("%s that began in this window %s not been deployed, and %s not count.",
			plural(t.UnfinishedDeployments, "deployment"), verb(t.UnfinishedDeployments, "has", "have"), verb(t.UnfinishedDeployments, "does", "do")))
	}
	return rules
}

func describeSource(s dora.Source) string {
	switch s {
	case dora.DeployedDeployments:
		return "It counts deployments that were deployed in the window."
	case dora.RecoveredDeployments:
		return "It counts failed deployments whose last incident was restored in the window. While one of them is open, there is no recovery time. " +
			"One without incidents recovers when a rollback replaces it."
	case dora.DeployedCommits:
		return "It counts each commit of the deployments that were deployed in the window, where commits are known."
	case dora.UnfinishedDeployments:
		return "It counts deployments that began in the window and have been neither deployed nor aborted to date."
	case dora.AbortedDeployments:
		return "It counts deployments that were aborted in the window and have not been deployed to date."
	case dora.StartedIncidents:
		return "It counts incidents that started in the window."
	case dora.RestoredIncidents:
		return "It counts incidents that were restored in the window, whenever they started."
	case dora.OpenIncidents:
		return "It counts incidents that had started and were not restored at the end of the window."
	}
	return ""
}

// describeDuration says which deployments or incidents have no sample.
func describeDuration(f dora.Figure, t dora.Totals, q Query) (rules []string) {
	all, why := int64(0), ""
	switch f.Source {
	case dora.DeployedDeployments:
		all, why = t.Deployments, "no known start"
		if f.Name == dora.ChangeLeadTime {
			why = "no known first commit"
		}
	case dora.StartedIncidents:
		all, why = t.Incidents, "no deployment that was deployed before"
	case dora.RecoveredDeployments:
		if q.RecoveryFrom == dora.FromDeployment {
			rules = append(rules, "The clock starts when the deployment was deployed.")
		}
	case dora.DeployedCommits, dora.UnfinishedDeployments, dora.AbortedDeployments, dora.RestoredIncidents, dora.OpenIncidents:
	}
	if without := all - f.Value(t).Samples; without > 0 {
		rules = append(rules, fmt.Sprintf("%s %s, and so no sample.",
			has(without, all, f.Source.Subject()), why))
	}
	return rules
}

// has returns the beginning of a sentence such as "2 of 5 incidents have".
func has(n, all int64, thing string) string {
	return fmt.Sprintf("%d of %s %s", n, plural(all, thing), verb(n, "has", "have"))
}

// ofAll returns the beginning of a sentence such as "2 of 5 incidents of this window
// are".
func ofAll(n, all int64, thing, which string) string {
	return fmt.Sprintf("%d of %s %s %s", n, plural(all, thing), which, verb(n, "is", "are"))
}

func verb(n int64, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
