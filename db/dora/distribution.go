package dora

import (
	"math"
	"math/rand/v2"
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

// newDistribution reorders the samples, which are milliseconds.
func newDistribution(samples []int64) Distribution {
	if len(samples) == 0 {
		return Distribution{}
	}
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

// percentile interpolates linearly between the closest ranks of samples.
func percentile(samples []int64, p float64) time.Duration {
	rank := p * float64(len(samples)-1)
	n := int(rank)
	below := selectRank(samples, n)
	above := below
	if n+1 < len(samples) {
		above = slices.Min(samples[n+1:])
	}
	return roundMillis(float64(below) + (rank-float64(n))*float64(above-below))
}

// selectRank returns the sample that would be at index n if the samples were
// sorted, and moves no smaller one behind it and no greater one before it. Sorting
// a million takes several times as long. The pivots are random, so that no order
// of the samples is slow.
func selectRank(samples []int64, n int) int64 {
	const few = 32
	first, last := 0, len(samples)-1
	for last-first >= few {
		pivot := samples[first+rand.IntN(last-first+1)] //nolint:gosec // not a secret
		i, j := first, last
		for i <= j {
			for samples[i] < pivot {
				i++
			}
			for samples[j] > pivot {
				j--
			}
			if i <= j {
				samples[i], samples[j] = samples[j], samples[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case n <= j:
			last = j
		case n >= i:
			first = i
		default: // between the parts is the pivot alone
			return samples[n]
		}
	}
	slices.Sort(samples[first : last+1])
	return samples[n]
}

// roundMillis rounds milliseconds to a microsecond, three digits below what is
// stored.
func roundMillis(ms float64) time.Duration {
	return time.Duration(math.Round(ms*1000)) * time.Microsecond
}
