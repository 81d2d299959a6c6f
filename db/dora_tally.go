package db

import (
	"cmp"
	"database/sql"
	"maps"
	"math"
	"slices"
	"time"
)

// labels is what keeps deployments and incidents apart: all three as they are
// stored, or those that a sheet groups by.
type labels struct {
	project, environment, team string
}

func (l labels) compare(other labels) int {
	return cmp.Or(cmp.Compare(l.project, other.project), cmp.Compare(l.team, other.team),
		cmp.Compare(l.environment, other.environment))
}

// sheet collects the figures of a window cut into pieces, a row of tallies for
// each group.
type sheet struct {
	by     GroupBy
	bounds []int64 // one more than there are pieces
	groups map[labels][]tally
}

func newSheet(by GroupBy, bounds []int64) *sheet {
	return &sheet{by: by, bounds: bounds, groups: map[labels][]tally{}}
}

// pieces is how many there are, none of no sheet.
func (s *sheet) pieces() int {
	if s == nil {
		return 0
	}
	return len(s.bounds) - 1
}

// group finds the tallies for things with these labels.
func (s *sheet) group(l labels) []tally {
	var key labels
	if s.by.Project {
		key.project = l.project
	}
	if s.by.Environment {
		key.environment = l.environment
	}
	if s.by.Team {
		key.team = l.team
	}
	tallies, ok := s.groups[key]
	if !ok {
		tallies = make([]tally, s.pieces())
		s.groups[key] = tallies
	}
	return tallies
}

func (s *sheet) keys() []labels {
	return slices.SortedFunc(maps.Keys(s.groups), labels.compare)
}

// tally is what one piece of one group adds up to. Durations are milliseconds.
type tally struct {
	deployments, failed, rework  int64
	days, lastDay                int64
	incidents, open, unfinished  int64
	lead, duration               []int64
	recovery, restore, detection []int64
}

func (t *tally) deployed(d delivery, day int64) {
	t.deployments++
	if d.failed {
		t.failed++
	}
	if d.rework {
		t.rework++
	}
	if t.days == 0 || day != t.lastDay { // dates come in order
		t.days, t.lastDay = t.days+1, day
	}
	t.lead = append(t.lead, d.lead)
	if d.duration != unknown {
		t.duration = append(t.duration, d.duration)
	}
}

func (s *sheet) figures(key labels, piece int) Dora {
	t := &s.groups[key][piece]
	length := fromMillis(s.bounds[piece+1]).Sub(fromMillis(s.bounds[piece]))
	return Dora{
		Deployments:              t.deployments,
		PerDay:                   float64(t.deployments) / (length.Hours() / 24),
		DeploymentDays:           t.days,
		FailedDeployments:        t.failed,
		ChangeFailureRatio:       ratio(t.failed, t.deployments),
		ReworkDeployments:        t.rework,
		ReworkRatio:              ratio(t.rework, t.deployments),
		LeadTime:                 distribution(t.lead),
		DeploymentDuration:       distribution(t.duration),
		FailedDeploymentRecovery: distribution(t.recovery),
		TimeToRestore:            distribution(t.restore),
		TimeToDetect:             distribution(t.detection),
		Incidents:                t.incidents,
		OpenIncidents:            t.open,
		Unfinished:               t.unfinished,
	}
}

func ratio(part, whole int64) sql.Null[float64] {
	if whole == 0 {
		return sql.Null[float64]{}
	}
	return sql.Null[float64]{V: float64(part) / float64(whole), Valid: true}
}

// distribution sorts the samples, which are milliseconds.
func distribution(samples []int64) Distribution {
	if len(samples) == 0 {
		return Distribution{}
	}
	slices.Sort(samples)
	var sum int64
	for _, sample := range samples {
		sum += sample
	}
	return Distribution{
		Samples: int64(len(samples)),
		P50:     percentile(samples, 0.5),
		P90:     percentile(samples, 0.9),
		Mean:    fractional(float64(sum) / float64(len(samples))),
	}
}

// percentile interpolates linearly between the closest ranks of sorted samples.
func percentile(sorted []int64, p float64) NullDuration {
	rank := p * float64(len(sorted)-1)
	below := int(rank)
	above := min(below+1, len(sorted)-1)
	return fractional(float64(sorted[below]) + (rank-float64(below))*float64(sorted[above]-sorted[below]))
}

// fractional rounds to a microsecond, far below what clocks can tell.
func fractional(ms float64) NullDuration {
	return NullDuration{V: time.Duration(math.Round(ms*1000)) * time.Microsecond, Valid: true}
}
