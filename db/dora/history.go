package dora

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// History computes the totals of windows that end at any time in the past, as
// [Windows] would have computed them then if everything had been recorded when it
// happened: a deployment has not failed before its first incident or its rollback,
// it is unfinished until it is deployed or aborted, and an incident is open until it
// is restored. It holds about a hundred bytes for each deployment and incident, and
// eight for each commit. It is not safe for concurrent use.
type History struct {
	labels      []Labels
	indexes     map[Labels]int32 // of labels
	deployed    []pastDeployment // in the order of deployedAt
	byBegin     []int32          // indexes of deployed that were never aborted, in the order of beganAt
	interrupted []pastAttempt    // not deployed to this day, or aborted before
	commits     []pastCommits    // of deployed deployments, in the order of deployedAt
	commitDates []int64          // of all commits
	incidents   []pastIncident   // in the order of startedAt
	failed      map[int64]*pastFailure
}

// PastDeployment is a deployment of a [History]. Times are Unix milliseconds, or
// Unknown.
type PastDeployment struct {
	Row                                                                    int64 // identifies it
	BeganAt, FirstCommitAt, StartedAt, DeployedAt, AbortedAt, RolledBackAt int64
	Rework                                                                 bool
	// Failed is set if a client reported that it failed. It has then failed as soon
	// as it is deployed.
	Failed bool
}

// PastIncident is an incident of a [History]. Times are Unix milliseconds, or
// Unknown.
type PastIncident struct {
	StartedAt, RestoredAt int64
	// Deployment is the row of the deployment that it is linked to, or Unknown.
	Deployment int64
}

// never is the time of what has not happened.
const never = math.MaxInt64

type pastDeployment struct {
	beganAt, firstCommitAt, startedAt, deployedAt int64
	failedAt                                      int64 // never if it has not failed
	labels                                        int32
	rework, aborted                               bool
}

// pastAttempt is a deployment that is not deployed to this day or was aborted before.
type pastAttempt struct {
	beganAt, abortedAt, deployedAt int64 // never if that has not happened
	labels                         int32
}

// pastCommits are the commits of a deployment: a part of the dates of all.
type pastCommits struct {
	deployedAt         int64
	labels, first, end int32
}

type pastIncident struct {
	startedAt, restoredAt int64 // never if it is open
	deployment            int64 // the row
	labels                int32
}

// pastFailure is a deployment that has incidents or was rolled back.
type pastFailure struct {
	labels                        int32
	deployedAt                    int64
	firstIncidentAt, rolledBackAt int64   // never if there is none
	incidents                     []int32 // indexes
}

// NewHistory returns an empty history.
func NewHistory() *History {
	return &History{indexes: map[Labels]int32{}, failed: map[int64]*pastFailure{}}
}

// AddIncident adds an incident. All of them must be added before the deployments.
func (h *History) AddIncident(l Labels, i PastIncident) {
	h.incidents = append(h.incidents, pastIncident{i.StartedAt, orNever(i.RestoredAt), i.Deployment, h.index(l)})
	if i.Deployment != Unknown {
		failure := h.failure(i.Deployment)
		failure.firstIncidentAt = min(failure.firstIncidentAt, i.StartedAt)
	}
}

// failure returns the failure of the deployment in that row, and creates it if it
// does not exist.
func (h *History) failure(row int64) *pastFailure {
	failure := h.failed[row]
	if failure == nil {
		failure = &pastFailure{firstIncidentAt: never, rolledBackAt: never}
		h.failed[row] = failure
	}
	return failure
}

func orNever(at int64) int64 {
	if at == Unknown {
		return never
	}
	return at
}

// AddDeployment adds a deployment.
func (h *History) AddDeployment(l Labels, d PastDeployment) {
	past := pastDeployment{
		beganAt: d.BeganAt, firstCommitAt: d.FirstCommitAt, startedAt: d.StartedAt, deployedAt: orNever(d.DeployedAt),
		failedAt: never, labels: h.index(l), rework: d.Rework, aborted: d.AbortedAt != Unknown,
	}
	if d.Failed {
		past.failedAt = past.deployedAt
	}
	if d.RolledBackAt != Unknown {
		h.failure(d.Row).rolledBackAt = d.RolledBackAt
	}
	if failure := h.failed[d.Row]; failure != nil {
		failure.labels, failure.deployedAt = past.labels, past.deployedAt
		past.failedAt = min(past.failedAt, failure.firstIncidentAt, failure.rolledBackAt)
	}
	if past.aborted || d.DeployedAt == Unknown {
		h.interrupted = append(h.interrupted, pastAttempt{d.BeganAt, orNever(d.AbortedAt), past.deployedAt, past.labels})
	}
	if d.DeployedAt != Unknown {
		h.deployed = append(h.deployed, past)
	}
}

// AddCommits adds the commits of a deployment that was deployed. The error is always
// nil.
func (h *History) AddCommits(l Labels, c Commits) error {
	first := len(h.commitDates)
	h.commitDates = append(h.commitDates, c.At...)
	h.commits = append(h.commits, pastCommits{
		c.DeployedAt, h.index(l), int32(first), int32(len(h.commitDates)), //nolint:gosec // fewer than two billion
	})
	return nil
}

func (h *History) index(l Labels) int32 {
	i, known := h.indexes[l]
	if !known {
		i = int32(len(h.labels)) //nolint:gosec // there are fewer labels than rows
		h.indexes[l], h.labels = i, append(h.labels, l)
	}
	return i
}

// Sort must be called when everything has been added.
func (h *History) Sort() {
	slices.SortFunc(h.incidents, func(a, b pastIncident) int { return cmp.Compare(a.startedAt, b.startedAt) })
	for n, i := range h.incidents {
		if i.deployment != Unknown {
			failure := h.failed[i.deployment]
			failure.incidents = append(failure.incidents, int32(n)) //nolint:gosec // fewer than two billion
		}
	}
	slices.SortFunc(h.deployed, func(a, b pastDeployment) int { return cmp.Compare(a.deployedAt, b.deployedAt) })
	slices.SortFunc(h.commits, func(a, b pastCommits) int { return cmp.Compare(a.deployedAt, b.deployedAt) })
	h.byBegin = make([]int32, 0, len(h.deployed))
	for n := range h.deployed {
		if !h.deployed[n].aborted {
			h.byBegin = append(h.byBegin, int32(n)) //nolint:gosec // fewer than two billion
		}
	}
	slices.SortFunc(h.byBegin, func(a, b int32) int { return cmp.Compare(h.deployed[a].beganAt, h.deployed[b].beganAt) })
}

// WindowsAt computes the totals of windows of several lengths that end at a time,
// which is not in them.
func (h *History) WindowsAt(end time.Time, lengths []time.Duration, places *Places) []ScopeTotals {
	if len(lengths) == 0 {
		return nil
	}
	w := NewWindows(end, lengths, places)
	from, to := end.Add(-slices.Max(lengths)).UnixMilli(), end.UnixMilli()
	h.addDeployments(w, from, to)
	h.addCommits(w, from, to)
	h.addUnfinished(w, from, to)
	h.addInterrupted(w, from, to)
	h.addIncidents(w, from, to)
	h.addRecoveries(w, from, to)
	return w.Totals()
}

func (h *History) addDeployments(w *Windows, from, to int64) {
	first := sort.Search(len(h.deployed), func(n int) bool { return h.deployed[n].deployedAt >= from })
	for n := first; n < len(h.deployed) && h.deployed[n].deployedAt < to; n++ {
		d := &h.deployed[n]
		_ = w.AddDeployment(h.labels[d.labels], Deployment{ // never fails, like all methods of Windows
			FirstCommitAt: d.firstCommitAt, DeployStartAt: d.startedAt, DeployedAt: d.deployedAt,
			Failed: d.failedAt < to, Rework: d.rework,
		})
	}
}

func (h *History) addCommits(w *Windows, from, to int64) {
	first := sort.Search(len(h.commits), func(n int) bool { return h.commits[n].deployedAt >= from })
	for _, c := range h.commits[first:] {
		if c.deployedAt >= to {
			break
		}
		_ = w.AddCommits(h.labels[c.labels], Commits{DeployedAt: c.deployedAt, At: h.commitDates[c.first:c.end]})
	}
}

// addUnfinished adds the deployments that had begun and were not deployed yet, of
// those that were never aborted.
func (h *History) addUnfinished(w *Windows, from, to int64) {
	first := sort.Search(len(h.byBegin), func(n int) bool { return h.deployed[h.byBegin[n]].beganAt >= from })
	for _, n := range h.byBegin[first:] {
		d := &h.deployed[n]
		if d.beganAt >= to {
			break
		}
		if d.deployedAt >= to {
			_ = w.AddUnfinished(h.labels[d.labels], d.beganAt)
		}
	}
}

// addInterrupted adds the deployments that had begun or were aborted and were not
// deployed yet.
func (h *History) addInterrupted(w *Windows, from, to int64) {
	for _, a := range h.interrupted {
		switch labels := h.labels[a.labels]; {
		case a.deployedAt < to:
		case a.abortedAt < to:
			if a.abortedAt >= from {
				_ = w.AddAborted(labels, a.abortedAt)
			}
		case a.beganAt >= from && a.beganAt < to:
			_ = w.AddUnfinished(labels, a.beganAt)
		}
	}
}

func (h *History) addIncidents(w *Windows, from, to int64) {
	for _, i := range h.incidents {
		if i.startedAt >= to {
			break
		}
		if i.startedAt < from && i.restoredAt < from {
			continue
		}
		incident := Incident{StartedAt: i.startedAt, RestoredAt: Unknown, DeploymentDeployedAt: Unknown}
		if i.restoredAt < to {
			incident.RestoredAt = i.restoredAt
		}
		if i.deployment != Unknown {
			incident.Linked = true
			if deployed := h.failed[i.deployment].deployedAt; deployed < to {
				incident.DeploymentDeployedAt = deployed
			}
		}
		_ = w.AddIncident(h.labels[i.labels], incident)
	}
}

// addRecoveries adds the failed deployments that had recovered.
func (h *History) addRecoveries(w *Windows, from, to int64) {
	for _, failure := range h.failed {
		if failure.deployedAt >= to {
			continue
		}
		if r := h.recovery(failure, to); r.RecoveredAt >= from && r.RecoveredAt < to {
			_ = w.AddRecovery(h.labels[failure.labels], r)
		}
	}
}

// recovery returns when a deployment recovered, from what had happened before a time:
// when the last of its incidents was restored or, as long as it had none, when it was
// rolled back.
func (h *History) recovery(failure *pastFailure, to int64) Recovery {
	if failure.firstIncidentAt >= to {
		return Recovery{StartedAt: failure.deployedAt, RecoveredAt: failure.rolledBackAt}
	}
	r := Recovery{StartedAt: failure.firstIncidentAt, RecoveredAt: Unknown}
	for _, n := range failure.incidents {
		if i := h.incidents[n]; i.startedAt < to {
			r.RecoveredAt = max(r.RecoveredAt, i.restoredAt)
		}
	}
	return r
}
