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
// happened: a deployment has not failed before its first incident, and an incident
// is open until it is restored. It holds about a hundred bytes for each deployment
// and incident. It is not safe for concurrent use.
type History struct {
	labels    []Labels
	indexes   map[Labels]int32 // of labels
	deployed  []pastDeployment // in the order of deployedAt
	byBegin   []int32          // indexes of deployed, in the order of beganAt
	undone    []pastDeployment // not deployed to this day
	incidents []pastIncident   // in the order of startedAt
	failed    map[int64]*pastFailure
}

// PastDeployment is a deployment of a [History]. Times are Unix milliseconds, or
// Unknown.
type PastDeployment struct {
	Row                                           int64 // identifies it
	BeganAt, FirstCommitAt, StartedAt, DeployedAt int64
	Rework                                        bool
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
	beganAt, firstCommitAt, startedAt, deployedAt int64 // never if it is not deployed
	failedAt                                      int64 // never if it has no incident
	labels                                        int32
	rework                                        bool
}

type pastIncident struct {
	startedAt, restoredAt int64 // never if it is open
	deployment            int64 // the row
	labels                int32
}

// pastFailure is a deployment with incidents.
type pastFailure struct {
	labels     int32
	deployedAt int64
	failedAt   int64   // when the first of the incidents started
	incidents  []int32 // indexes
}

// NewHistory returns an empty history.
func NewHistory() *History {
	return &History{indexes: map[Labels]int32{}, failed: map[int64]*pastFailure{}}
}

// AddIncident adds an incident. All of them must be added before the deployments.
func (h *History) AddIncident(l Labels, i PastIncident) {
	past := pastIncident{i.StartedAt, i.RestoredAt, i.Deployment, h.index(l)}
	if i.RestoredAt == Unknown {
		past.restoredAt = never
	}
	h.incidents = append(h.incidents, past)
	if i.Deployment == Unknown {
		return
	}
	failure := h.failed[i.Deployment]
	if failure == nil {
		failure = &pastFailure{failedAt: never}
		h.failed[i.Deployment] = failure
	}
	failure.failedAt = min(failure.failedAt, i.StartedAt)
}

// AddDeployment adds a deployment.
func (h *History) AddDeployment(l Labels, d PastDeployment) {
	past := pastDeployment{d.BeganAt, d.FirstCommitAt, d.StartedAt, d.DeployedAt, never, h.index(l), d.Rework}
	if d.DeployedAt == Unknown {
		past.deployedAt = never
	}
	if failure := h.failed[d.Row]; failure != nil {
		failure.labels, failure.deployedAt, past.failedAt = past.labels, past.deployedAt, failure.failedAt
	}
	if d.DeployedAt == Unknown {
		h.undone = append(h.undone, past)
		return
	}
	h.deployed = append(h.deployed, past)
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
	h.byBegin = make([]int32, len(h.deployed))
	for n := range h.byBegin {
		h.byBegin[n] = int32(n) //nolint:gosec // fewer than two billion
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
	h.addUnfinished(w, from, to)
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

// addUnfinished adds the deployments that had begun and were not deployed yet.
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
	for _, d := range h.undone {
		if d.beganAt >= from && d.beganAt < to {
			_ = w.AddUnfinished(h.labels[d.labels], d.beganAt)
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

// addRecoveries adds the failed deployments whose incidents so far were all
// restored.
func (h *History) addRecoveries(w *Windows, from, to int64) {
	for _, failure := range h.failed {
		if failure.deployedAt >= to {
			continue
		}
		recovered := int64(Unknown)
		for _, n := range failure.incidents {
			if i := h.incidents[n]; i.startedAt < to {
				recovered = max(recovered, i.restoredAt)
			}
		}
		if recovered >= from && recovered < to {
			_ = w.AddRecovery(h.labels[failure.labels],
				Recovery{StartedAt: failure.failedAt, RecoveredAt: recovered})
		}
	}
}
