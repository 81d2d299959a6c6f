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
	// Low and High are the interval in which the median of all that could have been
	// measured lies in about 95 of 100 cases.
	Low, High time.Duration
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
	d := Distribution{Samples: int64(len(samples)), Mean: roundMillis(float64(sum) / float64(len(samples)))}
	// Each rank is selected among the samples that the ones before have left it.
	last := len(samples) - 1
	var middle, ninth int
	d.P50, middle = percentile(samples, 0, 0.5)
	d.P90, ninth = percentile(samples, middle, 0.9)
	low := medianRank(len(samples))
	d.Low = roundMillis(float64(selectRank(samples[:middle+1], low)))
	first, end := middle, ninth
	if last-low > ninth {
		first, end = ninth, last
	}
	d.High = roundMillis(float64(selectRank(samples[first:end+1], last-low-first)))
	return d
}

// percentile interpolates linearly between the closest ranks of samples, the first of
// which it returns. No sample before index first is greater than one after it.
func percentile(samples []int64, first int, p float64) (time.Duration, int) {
	rank := p * float64(len(samples)-1)
	n := int(rank)
	below := selectRank(samples[first:], n-first)
	above := below
	if n+1 < len(samples) {
		above = slices.Min(samples[n+1:])
	}
	return roundMillis(float64(below) + (rank-float64(n))*float64(above-below)), n
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
