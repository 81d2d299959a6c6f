package exporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// The end of a history has a sample every few minutes, so that Prometheus, which
// looks back five minutes for the current value of a series, finds one.
const (
	recent     = 24 * time.Hour
	recentStep = 4 * time.Minute
)

// HistoryOptions configures [WriteHistory].
type HistoryOptions struct {
	// From and To are the times of the first and the last samples. A zero From is
	// just before the first event, a zero To is now.
	From, To time.Time
	// Step is the time between samples, or four minutes in the last day if that is
	// less.
	Step time.Duration
	// Target has the labels that a scrape adds, such as job and instance.
	Target []Label
	// SeriesHold, LabelSetLimit, Windows and WindowSeriesLimit are those of the
	// service. See [Options].
	SeriesHold        time.Duration
	LabelSetLimit     int
	Windows           []time.Duration
	WindowSeriesLimit int
	// TempDir is the folder of temporary files, which take about a tenth of the space
	// of the output. Empty means [os.TempDir].
	TempDir string
	// Progress is called after each time with the number of times that are done and
	// of all. It may be nil.
	Progress func(done, all int)
	// Logger receives warnings. Nil means [slog.Default].
	Logger *slog.Logger
}

// Label is the name and the value of a label.
type Label struct{ Name, Value string }

// HistorySize describes what [WriteHistory] has written.
type HistorySize struct {
	From, To time.Time
	Samples  int64
}

// WriteHistory writes the counters, histograms and gauges of windows over time in
// OpenMetrics, as they would have been scraped if every event had been recorded when
// it happened, and the series that the rules in prometheus/rules/counters.yml would
// have recorded. The last totals are those that the service exposes now. A series
// begins with a sample at zero.
//
// A series that the service still exposes as zero is left out: its first events are
// counted when the hold ends.
//
// It holds a few hundred bytes for each deployment and incident, eight for each
// commit, and nothing for each sample: families are collected in temporary files,
// because OpenMetrics has them one after the other.
func WriteHistory(ctx context.Context, store *db.Store, w io.Writer, o HistoryOptions) (size HistorySize, err error) {
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.LabelSetLimit = cmp.Or(o.LabelSetLimit, defaultLabelSetLimit)
	o.WindowSeriesLimit = cmp.Or(o.WindowSeriesLimit, defaultWindowSeries)
	if o.To.IsZero() {
		o.To = store.Now()
	}
	files, err := newPastFamilies(o.TempDir)
	if err != nil {
		return size, err
	}
	defer func() { err = errors.Join(err, files.close()) }()
	totals, places, err := readPastTotals(ctx, store, files, o)
	if err != nil {
		return size, fmt.Errorf("read the history: %w", err)
	}
	past, err := store.History(ctx)
	if err != nil {
		return size, fmt.Errorf("read the history: %w", err)
	}
	figures := newPastFigures(past, places, files, o)
	times := o.times(totals.begin())
	if len(times) == 0 {
		return size, files.writeTo(w)
	}
	for n, at := range times {
		if err := ctx.Err(); err != nil {
			return size, fmt.Errorf("write the history: %w", err)
		}
		next := times[min(n+1, len(times)-1)]
		totals.write(at, next)
		figures.write(at)
		if o.Progress != nil {
			o.Progress(n+1, len(times))
		}
	}
	size = HistorySize{times[0], times[len(times)-1], files.samples}
	return size, files.writeTo(w)
}

// times returns the times of the samples. Steps begin at multiples of their length,
// so that histories of overlapping ranges fit together. First is the time of the
// first event.
func (o HistoryOptions) times(first time.Time) (times []time.Time) {
	from, to := o.From, o.To.Truncate(time.Millisecond)
	if from.IsZero() {
		if first.IsZero() {
			return nil
		}
		from = first.Add(-o.Step)
	}
	add := func(step time.Duration, until time.Time) {
		at := from.Truncate(step)
		if at.Before(from) {
			at = at.Add(step)
		}
		for ; !at.After(until); at = at.Add(step) {
			times = append(times, at)
		}
	}
	add(o.Step, to)
	if o.Step > recentStep {
		if day := to.Add(-recent); day.After(from) {
			from = day
		}
		add(recentStep, to)
	}
	times = append(times, to)
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	return slices.DeleteFunc(times, func(at time.Time) bool { return at.Before(o.From) })
}

// pastFigures writes the gauges of windows.
type pastFigures struct {
	past     *dora.History
	places   *dora.Places
	lengths  []time.Duration // the shortest first
	limit    int
	target   []Label
	families *pastFamilies
	series   map[pastReading]*familySeries
}

// pastReading identifies a series.
type pastReading struct {
	owner owner
	gauge string
	of    readingLabels
}

func newPastFigures(past *dora.History, places *dora.Places, f *pastFamilies, o HistoryOptions) *pastFigures {
	return &pastFigures{
		past: past, places: places, lengths: slices.Compact(slices.Sorted(slices.Values(o.Windows))),
		limit: o.WindowSeriesLimit, target: o.Target, families: f, series: map[pastReading]*familySeries{},
	}
}

// write writes the figures of the windows that end at a time. What happens in this
// very millisecond is in them.
func (p *pastFigures) write(at time.Time) {
	if len(p.lengths) == 0 {
		return
	}
	totals := p.past.WindowsAt(at.Truncate(time.Millisecond).Add(time.Millisecond), p.lengths, p.places)
	dropped := eachReading(totals, p.lengths[0], p.limit, func(o owner, g dora.Gauge, of readingLabels, value float64) {
		p.find(o, g, of).write(value, at)
	})
	p.find(owner{}, droppedGauge(), readingLabels{}).write(float64(dropped), at)
}

func (p *pastFigures) find(o owner, g dora.Gauge, of readingLabels) *familySeries {
	key := pastReading{o, g.Name, of}
	s, known := p.series[key]
	if !known {
		labels := slices.Clone(p.target)
		if o != (owner{}) {
			labels = append(labels, prometheusLabels(o.attributes())...)
		}
		labels = append(labels, prometheusLabels(of.attributes())...)
		s = p.families.find(g.FullName(), "gauge", g.Help).series(g.FullName(), labels)
		p.series[key] = s
	}
	return s
}
