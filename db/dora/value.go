package dora

import (
	"strings"
	"time"
)

// Value is a figure of one window. Its kind determines which fields are set.
type Value struct {
	Count        int64         // Count and Frequency: how many. Ratio: how many of Whole
	Whole        int64         // Ratio
	Days         int64         // Frequency: calendar days with at least one
	Length       time.Duration // Frequency: of the window
	Distribution               // Duration
}

// PerDay returns the count divided by the length of the window in days of 24
// hours.
func (v Value) PerDay() float64 { return float64(v.Count) / (v.Length.Hours() / 24) }

// Ratio returns the count divided by the whole. It is undefined, and false,
// where that is zero.
func (v Value) Ratio() (float64, bool) {
	if v.Whole == 0 {
		return 0, false
	}
	return float64(v.Count) / float64(v.Whole), true
}

// Number returns the one number that stands for a value where it is drawn or
// compared: a count, a ratio, or a median in seconds. It is false where that is
// undefined.
func (f Figure) Number(v Value) (float64, bool) {
	switch f.Kind {
	case Ratio:
		return v.Ratio()
	case Duration:
		return v.P50.Seconds(), v.Samples > 0
	}
	return float64(v.Count), true
}

// Gauge is a metric in Prometheus that shows a figure, or a part of it.
type Gauge struct {
	Name string // without the suffix for its unit
	Unit string // UCUM: "s" or "{deployment}"; empty for a ratio
	Help string
	// Read returns the series of the gauge, none where the value is undefined.
	Read func(Value) []Reading
}

// IsCount reports whether the gauge is a number of things, which means something
// for any set of projects. A ratio, a rate or a median of unrelated ones does not.
func (g Gauge) IsCount() bool { return strings.HasPrefix(g.Unit, "{") }

// FullName returns the name of the gauge in Prometheus.
func (g Gauge) FullName() string {
	if g.Unit == "s" {
		return g.Name + "_seconds"
	}
	return g.Name
}

// Reading is the value of one series of a gauge.
type Reading struct {
	Quantile string // label of a duration, such as "0.5"; empty without one
	Value    float64
}

// durationGauges returns the gauges of a Duration: its quantiles, and the
// number of its samples, which are of the unit.
func durationGauges(name, unit, help string) []Gauge {
	return []Gauge{
		{name, "s", help, func(v Value) []Reading {
			if v.Samples == 0 {
				return nil
			}
			return []Reading{{"0.5", v.P50.Seconds()}, {"0.9", v.P90.Seconds()}}
		}},
		{name + "_samples", unit, "How many samples the quantiles of " + name + "_seconds have.", func(v Value) []Reading {
			return []Reading{{Value: float64(v.Samples)}}
		}},
	}
}

func count(v Value) []Reading { return []Reading{{Value: float64(v.Count)}} }

func days(v Value) []Reading { return []Reading{{Value: float64(v.Days)}} }

func perDay(v Value) []Reading { return []Reading{{Value: v.PerDay()}} }

func ratio(v Value) []Reading {
	r, ok := v.Ratio()
	if !ok {
		return nil
	}
	return []Reading{{Value: r}}
}
