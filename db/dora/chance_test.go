package dora

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestChance(t *testing.T) {
	for name, test := range map[string]struct{ got, want float64 }{
		"tea tasting":             {chanceOfRatios(3, 4, 1, 4), 0.485714},
		"1 of 12, 9 of 12":        {chanceOfRatios(1, 12, 9, 12), 0.002759},
		"9 of 12, 1 of 12":        {chanceOfRatios(9, 12, 1, 12), 0.002759},
		"3 of 97, 1 of 80":        {chanceOfRatios(3, 97, 1, 80), 0.627747},
		"none of either":          {chanceOfRatios(0, 5, 0, 9), 1},
		"all of both":             {chanceOfRatios(5, 5, 9, 9), 1},
		"many":                    {chanceOfRatios(50_000, 1_000_000, 1, 1_000_000), 0},
		"many, and a few more":    {chanceOfRatios(50_200, 1_000_000, 50_000, 1_000_000), 0.518908},
		"5 and 15":                {chanceOfRates(5, 15, 0.5), 0.041389},
		"2 and 8":                 {chanceOfRates(2, 8, 0.5), 0.109375},
		"2 and 8 in a fifth":      {chanceOfRates(2, 8, 0.2), 1},
		"none and none":           {chanceOfRates(0, 0, 0.5), 1},
		"a million and 1% more":   {chanceOfRates(1_010_000, 1_000_000, 0.5), 0},
		"a million and 0.1% more": {chanceOfRates(1_001_000, 1_000_000, 0.5), 0.480049},
	} {
		if math.Abs(test.got-test.want) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
}

func TestCompare(t *testing.T) {
	find := func(name Name) Figure {
		f, ok := Find(name)
		if !ok {
			t.Fatal(name)
		}
		return f
	}
	day := 24 * time.Hour
	frequency := func(count int64, length time.Duration) Value { return Value{Count: count, Length: length} }
	ratio := func(count, whole int64) Value { return Value{Count: count, Whole: whole} }
	median := func(samples int64, low, p50, high time.Duration) Value {
		return Value{Distribution: Distribution{Samples: samples, Low: low, P50: p50, High: high}}
	}
	for name, test := range map[string]struct {
		figure      Name
		now, before Value
		want        Verdict
	}{
		"as often":                     {DeploymentFrequency, frequency(4, 28*day), frequency(4, 28*day), Unchanged},
		"a few more":                   {DeploymentFrequency, frequency(5, 28*day), frequency(2, 28*day), WithinChance},
		"many more":                    {DeploymentFrequency, frequency(50, 28*day), frequency(20, 28*day), Better},
		"many fewer":                   {DeploymentFrequency, frequency(20, 28*day), frequency(50, 28*day), Worse},
		"as many in half the time":     {DeploymentFrequency, frequency(50, 14*day), frequency(50, 28*day), Better},
		"none after many":              {DeploymentFrequency, frequency(0, 28*day), frequency(50, 28*day), Worse},
		"3 of 97 failed, 1 before":     {ChangeFailureRate, ratio(3, 97), ratio(1, 80), WithinChance},
		"20 of 97 failed, 1 before":    {ChangeFailureRate, ratio(20, 97), ratio(1, 80), Worse},
		"no deployment before":         {ChangeFailureRate, ratio(3, 97), ratio(0, 0), NotComparable},
		"nothing known of failures":    {ChangeFailureRate, Value{Whole: 97, NoneLinked: true}, ratio(20, 97), NotComparable},
		"faster":                       {ChangeLeadTime, median(40, 1, 2, 3), median(40, 4, 5, 6), Better},
		"slower":                       {ChangeLeadTime, median(40, 4, 5, 6), median(40, 1, 2, 3), Worse},
		"wide intervals":               {ChangeLeadTime, median(40, 1, 2, 5), median(40, 1, 5, 9), WithinChance},
		"a median of four":             {ChangeLeadTime, median(4, 1, 2, 3), median(40, 4, 5, 6), WithinChance},
		"no samples":                   {ChangeLeadTime, median(0, 0, 0, 0), median(40, 4, 5, 6), NotComparable},
		"the same median":              {ChangeLeadTime, median(40, 1, 2, 3), median(9, 2, 2, 2), Unchanged},
		"none unfinished, nine before": {"unfinished_deployments", Value{}, Value{Count: 9}, NotComparable},
	} {
		if got := find(test.figure).Compare(test.now, test.before); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestVerdictOnNoiseIsRare compares windows of the same distribution: about one in
// twenty of them may differ.
func TestVerdictOnNoiseIsRare(t *testing.T) {
	random := rand.New(rand.NewPCG(2026, 11))
	lead, _ := Find(ChangeLeadTime)
	sample := func(n int) Value {
		samples := make([]int64, n)
		for i := range samples {
			samples[i] = int64(1e7 * math.Exp(random.NormFloat64()))
		}
		return Value{Distribution: newDistribution(samples)}
	}
	for _, size := range [][2]int{{5, 5}, {6, 6}, {7, 30}, {10, 10}, {12, 200}, {50, 50}, {400, 400}} {
		const rounds = 2000
		verdicts := 0
		for range rounds {
			if v := lead.Compare(sample(size[0]), sample(size[1])); v == Better || v == Worse {
				verdicts++
			}
		}
		if share := float64(verdicts) / rounds; share > 0.06 {
			t.Errorf("of windows with %v samples, %v differ", size, share)
		}
	}
}

func TestDistributionSelectsItsRanks(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 9, 10, 11, 33, 100, 1000} {
		for name, samples := range shapes(size) {
			sorted := slices.Sorted(slices.Values(samples))
			d := newDistribution(slices.Clone(samples))
			low := medianRank(len(samples))
			for _, rank := range []struct {
				got  time.Duration
				want int64
			}{{d.Low, sorted[low]}, {d.High, sorted[len(sorted)-1-low]}} {
				if rank.got != time.Duration(rank.want)*time.Millisecond {
					t.Errorf("%d samples, %s: %v, want %d", len(samples), name, rank.got, rank.want)
				}
			}
			if d.Low > d.P50 || d.P50 > d.High {
				t.Errorf("%d samples, %s: %v is not from %v to %v", len(samples), name, d.P50, d.Low, d.High)
			}
		}
	}
}
