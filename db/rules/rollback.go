package rules

import (
	"cmp"
	"slices"
	"time"
)

// judge decides why a deployment that has just been deployed has no lead time, empty
// if it has one. The deployment that it replaced is nil for the first one of its
// environment. Commits are in the order in which they were first deployed there.
func (s *State) judge(d, replaced *Deployment) NoLeadTime {
	if d.Rollback.Valid && d.Rollback.V {
		return IsRollback
	}
	if first := s.firstOf(d.Commit, d); first != nil && replaced != nil {
		if !d.Rollback.Valid && !s.IgnoreRollbacks && !SameCommit(d.Commit, replaced.Commit) {
			if live := s.firstOf(replaced.Commit, d); live != nil && s.deployedEarlier(first, live) {
				return IsRollback
			}
		}
		return IsRedeployment
	}
	switch {
	case !d.FirstCommitAt.IsZero():
		return ""
	case d.Commits.Valid:
		return NoCommits
	case replaced == nil:
		return FirstDeployment
	}
	return CommitsUnknown
}

// firstOf returns the deployment of a commit that was the first to be deployed to
// the environment of d before d was, nil if there is none.
func (s *State) firstOf(commit string, d *Deployment) *Deployment {
	if commit == "" { // most often, and there may be many deployments in a batch
		return nil
	}
	var first *Deployment
	for _, other := range s.deployments.rows {
		if other.Project == d.Project && other.Environment == d.Environment && SameCommit(commit, other.Commit) &&
			!other.DeployedAt.IsZero() && other.DeployedAt.Before(d.DeployedAt) &&
			(first == nil || s.deployedEarlier(other, first)) {
			first = other
		}
	}
	return first
}

// isSuperseded reports whether another deployment was deployed to the environment
// after d.
func (s *State) isSuperseded(d *Deployment) bool {
	for _, other := range s.deployments.rows {
		if other.Key != d.Key && other.Project == d.Project && other.Environment == d.Environment &&
			!other.DeployedAt.IsZero() && s.deployedEarlier(d, other) {
			return true
		}
	}
	return false
}

// dropRevision records that the deployment brought no change, whatever commits it was
// said to bring.
func (s *State) dropRevision(d *Deployment) {
	s.dropCommits(d)
	d.FirstCommitAt = time.Time{}
}

// rollBack records that a deployment was replaced by a rollback: it has failed, and
// its open incidents are restored.
func (s *State) rollBack(replaced Deployment, by *Deployment) {
	if replaced.RolledBackAt.IsZero() {
		replaced.RolledBackAt, replaced.RolledBackBy = by.DeployedAt, by.ID
		s.deployments.put(&replaced)
	}
	s.failDeployment(replaced, by.DeployedAt, RolledBack)
	for _, open := range s.openIncidents(replaced.Key) {
		if open.StartedAt.After(by.DeployedAt.Add(ClockTolerance)) {
			continue // it began without this deployment
		}
		restored := *open
		restored.restore(s, by.DeployedAt)
		restored.RestoredAutomatically = true
		s.incidents.put(&restored)
	}
}

// openIncidents returns the incidents linked to a deployment that are not restored,
// in the order in which they started.
func (s *State) openIncidents(of Key) []*Incident {
	var open []*Incident
	for _, i := range s.incidents.rows {
		if i.DeploymentID == of.ID && i.Project == of.Project && i.Environment == of.Environment && i.RestoredAt.IsZero() {
			open = append(open, i)
		}
	}
	slices.SortFunc(open, func(a, b *Incident) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return open
}
