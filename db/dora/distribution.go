package dora

import (
	"math"
	"slices"
	"time"
)

// Distribution describes durations by their percentiles, which interpolate
// linearly between the closest ranks, as percentile_cont does in SQL. Without
// samples the durations are undefined, and zero.
type Distribution struct {
	Samples int64
	P50     time.Duration
	P90     time.Duration
	Mean    time.Duration
}

// newDistribution sorts the samples, which are milliseconds.
func newDistribution(samples []int64) Distribution {
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
		Mean:    roundMillis(float64(sum) / float64(len(samples))),
	}
}

// percentile interpolates linearly between the closest ranks of sorted samples.
func percentile(sorted []int64, p float64) time.Duration {
	rank := p * float64(len(sorted)-1)
	below := int(rank)
	above := min(below+1, len(sorted)-1)
	return roundMillis(float64(sorted[below]) + (rank-float64(below))*float64(sorted[above]-sorted[below]))
}

// roundMillis rounds milliseconds to a microsecond, three digits below what is
// stored.
func roundMillis(ms float64) time.Duration {
	return time.Duration(math.Round(ms*1000)) * time.Microsecond
}
