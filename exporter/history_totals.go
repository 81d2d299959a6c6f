package exporter

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// pastTotals writes the counters and histograms. Events count when they happened,
// not when they were recorded.
type pastTotals struct {
	families    *pastFamilies
	target      []Label
	instruments []*pastInstrument
	begins      map[*labelSet]int64 // when the first event of the set happened, in Unix milliseconds
}

// pastInstrument is an instrument with everything that changes it.
type pastInstrument struct {
	instrument
	events []pastEvent // in the order of at; removed when they have been applied
	bySet  map[*labelSet]*pastSeries
	series []*pastSeries
}

// pastEvent is the contribution of an event to an instrument.
type pastEvent struct {
	at     int64         // Unix milliseconds
	sample time.Duration // of a histogram
	series *pastSeries
}

// pastSeries are a counter or the series of a histogram, with the totals so far.
type pastSeries struct {
	totals
	begins int64 // Unix milliseconds

	total          []*familySeries   // of a counter
	sums, counts   *familySeries     // of a histogram
	bucketsByBound [][]*familySeries // of a histogram, the last ones of +Inf
}

// readPastTotals reads all events, and the places in the figures that they take.
func readPastTotals(ctx context.Context, store *db.Store, f *pastFamilies, o HistoryOptions) (*pastTotals, *dora.Places, error) {
	p := &pastTotals{families: f, target: o.Target, begins: map[*labelSet]int64{}}
	for _, i := range instruments() {
		p.instruments = append(p.instruments, &pastInstrument{instrument: i, bySet: map[*labelSet]*pastSeries{}})
	}
	fold := newFold(store, o.LabelSetLimit, o.Logger)
	if err := fold.createInstruments(); err != nil {
		return nil, nil, err
	}
	for e, err := range eventsAfter(ctx, store, 0) {
		if err != nil {
			return nil, nil, err
		}
		p.add(e, fold.apply(ctx, e))
	}
	now := store.Now()
	for _, i := range p.instruments {
		i.finish(p, func(set *labelSet) bool { return fold.held(i.name, set.labels, now, o.SeriesHold) })
	}
	return p, fold.takenPlaces(), nil
}

func (p *pastTotals) add(e db.Event, set *labelSet) {
	at := e.OccurredAt.UnixMilli()
	if begins, known := p.begins[set]; !known || at < begins {
		p.begins[set] = at
	}
	for _, i := range p.instruments {
		if slices.Contains(i.kinds, e.Kind) && i.appliesTo(e) {
			i.add(at, e, set)
		}
	}
}

func (i *pastInstrument) add(at int64, e db.Event, set *labelSet) {
	s := i.bySet[set]
	if s == nil {
		s = &pastSeries{begins: at}
		i.bySet[set] = s
	}
	s.begins = min(s.begins, at)
	event := pastEvent{at: at, series: s}
	if i.measure != nil {
		event.sample = i.measure(e).V
	}
	i.events = append(i.events, event)
}

// finish sorts the events and creates the series, except those that are held. Each
// label set has every counter.
func (i *pastInstrument) finish(p *pastTotals, held func(*labelSet) bool) {
	for set, begins := range p.begins {
		s := i.bySet[set]
		switch {
		case i.measure == nil && s == nil:
			s = &pastSeries{begins: begins}
		case i.measure == nil:
			s.begins = begins
		case s == nil:
			continue
		}
		if held(set) {
			continue
		}
		own := prometheusLabels(set.labels.list())
		i.createLines(p, s, own)
		i.series = append(i.series, s)
	}
	slices.SortStableFunc(i.events, func(a, b pastEvent) int { return cmp.Compare(a.at, b.at) })
}

// createLines creates what is written of a series: as it is scraped, and as the
// rules record it.
func (i *pastInstrument) createLines(p *pastTotals, s *pastSeries, own []Label) {
	scraped := slices.Concat(p.target, own)
	both := func(f *pastFamily, name string, labels ...Label) []*familySeries {
		recorded := recordedName(name)
		return []*familySeries{
			f.series(name, slices.Concat(scraped, labels)),
			p.families.find(recorded, "unknown", "Recorded from "+name+".").series(recorded, slices.Concat(own, labels)),
		}
	}
	if i.measure == nil {
		s.total = both(p.families.find(i.name, "counter", i.description), i.prometheusName())
		return
	}
	name := i.prometheusName()
	f := p.families.find(name, "histogram", i.description)
	s.sums, s.counts = f.series(name+"_sum", scraped), f.series(name+"_count", scraped)
	s.buckets = make([]uint64, len(i.bounds)+1)
	for _, bound := range append(i.boundsInSeconds(), math.Inf(1)) {
		s.bucketsByBound = append(s.bucketsByBound, both(f, name+"_bucket", Label{"le", formatBound(bound)}))
	}
}

// recordedName returns the name under which prometheus/rules/counters.yml records a
// series.
func recordedName(name string) string { return "project:" + name }

// begin returns when the first event happened, the zero time if there is none.
func (p *pastTotals) begin() time.Time {
	begin := int64(math.MaxInt64)
	for _, begins := range p.begins {
		begin = min(begin, begins)
	}
	if begin == math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMilli(begin).UTC()
}

// write writes the totals at a time. A series is written from the last time before
// its first event on. Next is the time that follows.
func (p *pastTotals) write(at, next time.Time) {
	for _, i := range p.instruments {
		i.apply(at.UnixMilli())
		for _, s := range i.series {
			if s.begins <= next.UnixMilli() {
				s.write(at)
			}
		}
	}
}

// apply applies the events up to a time.
func (i *pastInstrument) apply(until int64) {
	n := 0
	for ; n < len(i.events) && i.events[n].at <= until; n++ {
		e := i.events[n]
		e.series.count++
		if e.series.buckets != nil {
			e.series.sample(i.bounds, e.sample)
		}
	}
	i.events = i.events[n:]
}

func (s *pastSeries) write(at time.Time) {
	for _, series := range s.total {
		series.write(float64(s.count), at)
	}
	if s.buckets == nil {
		return
	}
	var count uint64
	for n, lines := range s.bucketsByBound {
		count += s.buckets[n]
		for _, series := range lines {
			series.write(float64(count), at)
		}
	}
	s.sums.write(seconds(s.sum), at)
	s.counts.write(float64(s.count), at)
}
