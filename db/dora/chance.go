package dora

import "math"

// Verdict is the result of comparing a figure of two windows.
type Verdict int

// The verdicts.
const (
	NotComparable Verdict = iota // undefined in one of the windows
	Unchanged
	WithinChance // a difference that chance alone makes often
	Better
	Worse
)

// significance is the level of the tests: a difference counts if chance alone would
// make one as large less often than this.
const significance = 0.05

// fewSamples is the number of samples that a median needs to be compared: with fewer,
// the whole range of them is no interval for it.
const fewSamples = 5

// Compare compares a figure of a window with that of an earlier one. Chance is judged
// at a level of 5%: by Fisher's exact test for ratios, by the exact test of two rates
// for frequencies, and by the intervals of the medians for durations. Counts have no
// verdict.
func (f Figure) Compare(now, before Value) Verdict {
	n, isDefined := f.Number(now)
	b, wasDefined := f.Number(before)
	if f.Kind == Frequency {
		n, b = now.PerDay(), before.PerDay() // the windows may differ in length
	}
	switch {
	case f.Kind == Count || !isDefined || !wasDefined || now.NoneLinked || before.NoneLinked:
		return NotComparable
	case n == b:
		return Unchanged
	case f.isChance(now, before):
		return WithinChance
	case (n > b) == f.HigherIsBetter:
		return Better
	}
	return Worse
}

func (f Figure) isChance(a, b Value) bool {
	switch f.Kind {
	case Ratio:
		return chanceOfRatios(a.Count, a.Whole, b.Count, b.Whole) >= significance
	case Duration:
		return a.Samples < fewSamples || b.Samples < fewSamples || chanceOfMedians(a.Distribution, b.Distribution)
	}
	return chanceOfRates(a.Count, b.Count, float64(a.Length)/float64(a.Length+b.Length)) >= significance
}

// chanceOfMedians reports whether the interval for the difference of two medians
// contains zero. Its half-width is the root of the sum of the squares of theirs (Zou
// and Donner 2008, Statistics in Medicine 27:1693).
func chanceOfMedians(a, b Distribution) bool {
	if a.P50 < b.P50 {
		a, b = b, a
	}
	return (a.P50 - b.P50).Seconds() <= math.Hypot((a.P50-a.Low).Seconds(), (b.High-b.P50).Seconds())
}

// medianRank returns the index of the sorted samples at which the interval for the
// median begins; it ends as far from the other end. The median of all that could have
// been measured lies in it in about 95 of 100 cases, whatever the distribution
// (Conover, Practical Nonparametric Statistics, 3.2).
func medianRank(samples int) int {
	const quantile = 1.96 // of the normal distribution, for 95%
	n := float64(samples)
	return max(0, int(n/2-quantile*math.Sqrt(n)/2+0.5)-1)
}

// chanceOfRatios returns how likely it is that a of m and b of n differ as much as
// they do if nothing but chance tells them apart: the two-sided p-value of Fisher's
// exact test (Fisher 1922, Journal of the Royal Statistical Society 85:87).
func chanceOfRatios(a, m, b, n int64) float64 {
	all := a + b
	low, high := max(0, all-n), min(all, m)
	return twoSided(a, low, high, func(k int64) float64 {
		return float64(m-k) * float64(all-k) / (float64(k+1) * float64(n-all+k+1))
	})
}

// chanceOfRates returns how likely it is that two counts differ as much as they do if
// things happen at random and equally often: given their sum, the first one is
// binomial with its share of the time (Przyborowski and Wilenski 1940, Biometrika
// 31:313).
func chanceOfRates(a, b int64, share float64) float64 {
	all := a + b
	return twoSided(a, 0, all, func(k int64) float64 {
		return float64(all-k) / float64(k+1) * share / (1 - share)
	})
}

// twoSided returns the share of the outcomes from low to high that are at most as
// likely as the observed one. Step is the likelihood of k+1 divided by that of k,
// which falls as k rises.
func twoSided(observed, low, high int64, step func(k int64) float64) float64 {
	const equal, negligible = 1 + 1e-9, 1e-16 // relative to the observed one and to all
	rare, all := 1.0, 1.0
	add := func(likelihood float64) (more bool) {
		all += likelihood
		if likelihood <= equal {
			rare += likelihood
		}
		return likelihood > negligible*all && !math.IsInf(all, 1)
	}
	for k, likelihood := observed, 1.0; k < high; k++ {
		if likelihood *= step(k); !add(likelihood) {
			break
		}
	}
	for k, likelihood := observed, 1.0; k > low; k-- {
		if likelihood /= step(k - 1); !add(likelihood) {
			break
		}
	}
	return rare / all
}
