package dora

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// shapes returns samples in orders that are hard for one algorithm or another.
func shapes(n int) map[string][]int64 {
	rising, random, few, equal := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range n {
		rising[i], random[i], few[i] = int64(i), rand.Int64N(1<<40), rand.Int64N(3)
	}
	falling := slices.Clone(rising)
	slices.Reverse(falling)
	return map[string][]int64{
		"rising": rising, "falling": falling, "random": random, "few values": few, "equal": equal,
		"rising and falling": slices.Concat(rising, falling),
	}
}

func TestSelectRank(t *testing.T) {
	for _, size := range []int{1, 2, 3, 31, 32, 33, 100, 1000} {
		for name, samples := range shapes(size) {
			sorted := slices.Sorted(slices.Values(samples))
			for _, n := range []int{0, len(samples) / 2, len(samples) * 9 / 10, len(samples) - 1} {
				selected := slices.Clone(samples)
				got := selectRank(selected, n)
				if got != sorted[n] || selected[n] != got ||
					n > 0 && slices.Max(selected[:n]) > got || n+1 < len(selected) && slices.Min(selected[n+1:]) < got {
					t.Errorf("%d samples, %s: rank %d is %d, want %d", len(samples), name, n, got, sorted[n])
				}
			}
		}
	}
}

func BenchmarkDistribution(b *testing.B) {
	for name, samples := range shapes(1_000_000) {
		work := make([]int64, len(samples))
		for way, compute := range map[string]func(){
			"select": func() { newDistribution(work) },
			"sort":   func() { slices.Sort(work) },
		} {
			b.Run(fmt.Sprintf("%s/%s", name, way), func(b *testing.B) {
				for b.Loop() {
					copy(work, samples)
					compute()
				}
			})
		}
	}
}
