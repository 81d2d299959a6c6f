package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// labels identifies a series of an instrument.
type labels struct {
	project     string
	environment string
	team        string // empty if unknown; the label is then absent
}

// overflow is the label set of all events beyond the label set limit.
var overflow = labels{project: "\x00overflow"}

// The names of the labels. In Prometheus, overflowLabel is otel_metric_overflow.
const (
	projectLabel     = attribute.Key("project_id")
	environmentLabel = attribute.Key("environment")
	teamLabel        = attribute.Key("team_id")
	overflowLabel    = attribute.Key("otel.metric.overflow")
	beyondLabel      = attribute.Key("em_metrics.beyond_limit") // overflowLabel within the SDK
	kindLabel        = attribute.Key("kind")
)

// The service's own counters that are folded from the events.
const (
	eventsName     = "em_metrics.events"
	overflowedName = "em_metrics.label_sets.overflowed_events"
)

// attributes returns the labels as the SDK has them.
func (l labels) attributes() attribute.Set {
	if l == overflow {
		return attribute.NewSet(beyondLabel.Bool(true))
	}
	return attribute.NewSet(l.list()...)
}

// list returns the labels as the outputs have them.
func (l labels) list() []attribute.KeyValue {
	if l == overflow {
		return []attribute.KeyValue{overflowLabel.Bool(true)}
	}
	set := []attribute.KeyValue{projectLabel.String(l.project), environmentLabel.String(l.environment)}
	if l.team != "" {
		set = append(set, teamLabel.String(l.team))
	}
	return set
}

// labelSet is the state of the fold for one label set. The options are created
// once, because creating them costs more than using them.
type labelSet struct {
	labels labels
	add    []metric.AddOption
	record []metric.RecordOption

	declared   bool      // exported at zero before its first event
	firstEvent time.Time // zero if there are none
	series     []totals  // by the index of the instrument
}

// fold applies the events of the store to the instruments, in order and exactly
// once.
type fold struct {
	store        *db.Store
	logger       *slog.Logger
	limit        int // maximum number of label sets created by events
	addersByKind map[db.Kind][]adder
	adders       []adder
	events       metric.Int64Counter
	kindOptions  map[db.Kind]metric.AddOption // the attribute of events, created once

	applying  chan struct{} // a mutex that can be waited for with a context; held to apply events
	complete  atomic.Bool   // every event stored before the start has been applied
	outlets   []*outlet
	snapshots *snapshots
	replaying bool // the store was restored, and its events are yet to be applied; applying is held

	// The fields below are written only while applying and mu are held.
	mu          sync.RWMutex
	epoch       string   // of the history that is applied
	newest      db.Event // the last event applied
	kinds       map[db.Kind]totals
	sets        map[labels]*labelSet
	distinct    map[attribute.Distinct]*labelSet // the same by their attributes
	eventSets   int                              // number of sets created by events
	places      *dora.Places                     // in the figures of windows
	overflowed  int64                            // events counted under the overflow label set
	newestStart time.Time                        // when the newest series started
	latestNow   time.Time                        // the latest time returned by monotonicNow
}

func newFold(store *db.Store, limit int, logger *slog.Logger) *fold {
	return &fold{
		store: store, logger: logger, limit: limit, snapshots: &snapshots{},
		addersByKind: map[db.Kind][]adder{}, kindOptions: map[db.Kind]metric.AddOption{}, applying: make(chan struct{}, 1),
		kinds: map[db.Kind]totals{}, sets: map[labels]*labelSet{}, distinct: map[attribute.Distinct]*labelSet{},
		places: dora.NewPlaces(limit),
	}
}

// createInstruments creates the instruments that the fold updates, all at zero.
func (f *fold) createInstruments() (err error) {
	meter := f.newMeter()
	if f.adders, err = createAdders(meter); err != nil {
		return err
	}
	clear(f.addersByKind)
	for _, a := range f.adders {
		for _, kind := range a.kinds {
			f.addersByKind[kind] = append(f.addersByKind[kind], a)
		}
	}
	f.events, err = meter.Int64Counter(eventsName,
		metric.WithUnit("{event}"), metric.WithDescription("Stored events, by kind."))
	if err != nil {
		return fmt.Errorf("create instrument %s: %w", eventsName, err)
	}
	for kind := range f.addersByKind {
		f.addEvents(context.Background(), kind, 0)
	}
	return nil
}

// enter waits until events may be applied. The caller must call leave.
func (f *fold) enter(ctx context.Context) (leave func(), err error) {
	select {
	case f.applying <- struct{}{}:
		return func() { <-f.applying }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to catch up with the store: %w", ctx.Err())
	}
}

// catchUp applies every stored event that has not been applied yet. After an
// error the next call continues where this one stopped.
func (f *fold) catchUp(ctx context.Context) error {
	leave, err := f.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := f.checkRestored(ctx); err != nil {
		return err
	}
	if f.newest.Seq == 0 {
		if err := f.begin(ctx); err != nil {
			return fmt.Errorf("catch up with the store: %w", err)
		}
	}
	for e, err := range eventsAfter(ctx, f.store, f.newest.Seq) {
		if err != nil {
			return fmt.Errorf("catch up with the store: %w", err)
		}
		f.apply(ctx, e)
	}
	f.complete.Store(true)
	f.replaying = false
	f.saveIfDue()
	return nil
}

// checkRestored starts again if the store holds another history than the one
// applied: a backup was restored into the open file.
func (f *fold) checkRestored(ctx context.Context) error {
	if f.newest.Seq == 0 {
		return nil
	}
	holds, err := f.store.Holds(ctx, f.epoch, f.newest)
	if err != nil {
		return fmt.Errorf("catch up with the store: %w", err)
	}
	if holds {
		return nil
	}
	f.logger.Warn("the store was restored to another state: replaying its events; "+
		"totals may fall, which Prometheus takes for a restart and counts in full once", "seq", f.newest.Seq)
	// The other processes on the store may not see it by their last event.
	if err := f.store.RenewEpoch(ctx, f.epoch); err != nil {
		f.logger.Warn("the new history has the name of the old one", "error", err)
	}
	return f.restart(ctx)
}

// restart forgets everything that was applied.
func (f *fold) restart(ctx context.Context) error {
	if err := f.createInstruments(); err != nil {
		return err
	}
	f.replaying = true
	declared := f.declaredSets()
	f.mu.Lock()
	f.newest, f.newestStart = db.Event{}, time.Time{}
	f.eventSets, f.overflowed, f.places = 0, 0, dora.NewPlaces(f.limit)
	clear(f.kinds)
	clear(f.sets)
	clear(f.distinct)
	f.mu.Unlock()
	for _, l := range declared {
		f.addDeclared(ctx, l)
	}
	return nil
}

// apply applies an event and returns the label set that it counts under.
func (f *fold) apply(ctx context.Context, e db.Event) *labelSet {
	set := f.labelSetOf(ctx, e)
	f.addEvents(ctx, e.Kind, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.addersByKind[e.Kind] {
		if !a.appliesTo(e) {
			continue
		}
		a.add(ctx, e, set)
		series := &set.series[a.index]
		series.add(a.instrument, e)
		f.seriesStarted(*series)
	}
	kind := f.kinds[e.Kind]
	kind.observe(e.RecordedAt)
	f.kinds[e.Kind] = kind
	f.newest = e
	return set
}

// addEvents adds n to the counter of stored events.
func (f *fold) addEvents(ctx context.Context, kind db.Kind, n int64) {
	option, ok := f.kindOptions[kind]
	if !ok {
		option = metric.WithAttributeSet(attribute.NewSet(kindLabel.String(string(kind))))
		f.kindOptions[kind] = option
	}
	f.events.Add(ctx, n, option)
}

// labelSetOf returns the label set of an event, creating it if necessary. Which
// sets exceed the limit depends only on the order of the events, so neither a
// restart nor a change to the declared projects changes a total.
func (f *fold) labelSetOf(ctx context.Context, e db.Event) *labelSet {
	l := labels{e.Project, e.Environment, e.Team}
	set := f.sets[l]
	if set != nil && !set.firstEvent.IsZero() {
		return set
	}
	if f.eventSets >= f.limit {
		return f.overflowSet(e)
	}
	if set == nil {
		set = f.addSet(ctx, l)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	set.firstEvent = e.RecordedAt
	f.eventSets++
	f.places.Take(dora.Labels{Project: e.Project, Environment: e.Environment, Team: e.Team})
	return set
}

// overflowSet returns the label set for an event beyond the limit.
func (f *fold) overflowSet(e db.Event) *labelSet {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.overflowed == 0 {
		f.logger.Warn("label set limit reached: further label sets are counted under otel_metric_overflow",
			"limit", f.limit, "project_id", e.Project, "environment", e.Environment)
		f.newSet(overflow).firstEvent = e.RecordedAt
	}
	f.overflowed++
	f.places.Take(dora.Labels{Project: e.Project, Environment: e.Environment, Team: e.Team})
	return f.sets[overflow]
}

// addSet adds a label set with all its counters at zero.
func (f *fold) addSet(ctx context.Context, l labels) *labelSet {
	f.mu.Lock()
	set := f.newSet(l)
	f.mu.Unlock()
	for _, a := range f.adders {
		a.zero(ctx, set)
	}
	return set
}

// newSet adds a label set without any series.
func (f *fold) newSet(l labels) *labelSet {
	attributes := l.attributes()
	option := metric.WithAttributeSet(attributes)
	set := &labelSet{
		labels: l, add: []metric.AddOption{option}, record: []metric.RecordOption{option},
		series: make([]totals, len(f.adders)),
	}
	f.sets[l], f.distinct[attributes.Equivalent()] = set, set
	return set
}

// declare exports the series of a label set at zero until it has events.
func (f *fold) declare(ctx context.Context, l labels) {
	f.applying <- struct{}{}
	defer func() { <-f.applying }()
	f.addDeclared(ctx, l)
}

func (f *fold) addDeclared(ctx context.Context, l labels) {
	set := f.sets[l]
	if set == nil {
		set = f.addSet(ctx, l)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	set.declared = true
}

// takenPlaces returns a copy of the places in the figures of windows. They are
// taken in the order of the events, so that a restart does not change them.
func (f *fold) takenPlaces() *dora.Places {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.places.Clone()
}

// status is the state of the fold that is exported as metrics.
type status struct {
	lastEvent  time.Time
	labelSets  int
	overflowed int64
}

func (f *fold) status() status {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return status{lastEvent: f.newest.RecordedAt, labelSets: f.eventSets, overflowed: f.overflowed}
}

// environments returns the environments of the label sets, in order.
func (f *fold) environments() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	names := map[string]bool{}
	for l := range f.sets {
		if l != overflow {
			names[l.environment] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
