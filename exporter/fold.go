package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/em-metrics/em-metrics/db"
)

// labels are the values that tell one series of an instrument from another.
type labels struct {
	project     string
	environment string
	team        string // empty: unknown, and the label is absent
}

// overflow is the label set of every event beyond the limit of label sets.
var overflow = labels{project: "\x00overflow"}

// The names of the labels. Prometheus shows the last as otel_metric_overflow.
const (
	projectLabel     = attribute.Key("project_id")
	environmentLabel = attribute.Key("environment")
	teamLabel        = attribute.Key("team_id")
	overflowLabel    = attribute.Key("otel.metric.overflow")
	kindLabel        = attribute.Key("kind")
)

// The totals of the service itself that are folded from the events too.
const (
	eventsName     = "em_metrics.events"
	overflowedName = "em_metrics.label_sets.overflowed_events"
)

func (l labels) attributes() attribute.Set {
	if l == overflow {
		return attribute.NewSet(overflowLabel.Bool(true))
	}
	set := []attribute.KeyValue{projectLabel.String(l.project), environmentLabel.String(l.environment)}
	if l.team != "" {
		set = append(set, teamLabel.String(l.team))
	}
	return attribute.NewSet(set...)
}

// labelSet is what the fold keeps of a label set. Its options are made once,
// because making them costs more than using them.
type labelSet struct {
	add    []metric.AddOption
	record []metric.RecordOption

	declared   bool                 // it is shown at zero before its first event
	firstEvent time.Time            // zero: none yet
	firstOf    map[string]time.Time // the first event of each instrument, by its name
}

func newLabelSet(l labels) *labelSet {
	attributes := metric.WithAttributeSet(l.attributes())
	return &labelSet{
		add:     []metric.AddOption{attributes},
		record:  []metric.RecordOption{attributes},
		firstOf: map[string]time.Time{},
	}
}

// fold applies the events of the store to the instruments, each exactly once
// and in order.
type fold struct {
	store  *db.Store
	logger *slog.Logger
	limit  int // of label sets that events made
	byKind map[db.Kind][]adder
	adders []adder
	events metric.Int64Counter
	ofKind map[db.Kind]metric.AddOption // the attribute of events, made once

	turn     chan struct{} // held by whoever applies events
	complete atomic.Bool   // every event that was stored at the start has been applied

	// What follows is changed only in turn, and read under the lock.
	mu         sync.RWMutex
	seq        int64 // the last event applied
	last       time.Time
	kinds      map[db.Kind]time.Time // the first event of each kind
	sets       map[labels]*labelSet
	eventSets  int       // how many of the sets events made
	overflowed int64     // events counted under the overflow label set
	youngest   time.Time // when the youngest series began
	latest     time.Time // the latest that a collection took for now
}

func newFold(store *db.Store, limit int, logger *slog.Logger) *fold {
	return &fold{
		store: store, logger: logger, limit: limit,
		byKind: map[db.Kind][]adder{}, ofKind: map[db.Kind]metric.AddOption{}, turn: make(chan struct{}, 1),
		kinds: map[db.Kind]time.Time{}, sets: map[labels]*labelSet{},
	}
}

// instrument makes the instruments that the fold adds to.
func (f *fold) instrument(meter metric.Meter) (err error) {
	if f.adders, err = makeAdders(meter); err != nil {
		return err
	}
	for _, a := range f.adders {
		for _, kind := range a.kinds {
			f.byKind[kind] = append(f.byKind[kind], a)
		}
	}
	f.events, err = meter.Int64Counter(eventsName,
		metric.WithUnit("{event}"), metric.WithDescription("Events stored, by kind."))
	if err != nil {
		return fmt.Errorf("make instrument %s: %w", eventsName, err)
	}
	for kind := range f.byKind {
		f.count(context.Background(), kind, 0)
	}
	return nil
}

// catchUp applies every event that has been stored. After an error the next
// call goes on where this one ended.
func (f *fold) catchUp(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait to catch up with the store: %w", ctx.Err())
	}
	for e, err := range eventsAfter(ctx, f.store, f.seq) {
		if err != nil {
			return fmt.Errorf("catch up with the store: %w", err)
		}
		f.apply(ctx, e)
	}
	f.complete.Store(true)
	return nil
}

func (f *fold) apply(ctx context.Context, e db.Event) {
	set := f.labelSetOf(ctx, e)
	for _, a := range f.byKind[e.Kind] {
		if !a.concerns(e) {
			continue
		}
		// Noted before the value changes: a collection that sees the value
		// knows how young it is.
		if _, known := set.firstOf[a.name]; !known {
			f.begin(set, a.name, e.RecordedAt)
		}
		a.event(ctx, e, set)
	}
	f.count(ctx, e.Kind, 1)
	f.mu.Lock()
	f.seq, f.last = e.Seq, e.RecordedAt
	if _, known := f.kinds[e.Kind]; !known {
		f.kinds[e.Kind] = e.RecordedAt
	}
	f.mu.Unlock()
}

// count counts events under their kind.
func (f *fold) count(ctx context.Context, kind db.Kind, n int64) {
	option, made := f.ofKind[kind]
	if !made {
		option = metric.WithAttributeSet(attribute.NewSet(kindLabel.String(string(kind))))
		f.ofKind[kind] = option
	}
	f.events.Add(ctx, n, option)
}

// begin notes when a series began.
func (f *fold) begin(set *labelSet, name string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	set.firstOf[name] = at
	if at.After(f.youngest) {
		f.youngest = at
	}
}

// labelSetOf finds the label set of an event. Which sets are beyond the limit
// follows from the order of the events alone, so that a restart or another
// teams file changes no total.
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
	return set
}

func (f *fold) overflowSet(e db.Event) *labelSet {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.overflowed == 0 {
		f.logger.Warn("too many label sets: further ones are counted together, as otel_metric_overflow",
			"limit", f.limit, "project_id", e.Project, "environment", e.Environment)
		f.sets[overflow] = newLabelSet(overflow)
		f.sets[overflow].firstEvent = e.RecordedAt
	}
	f.overflowed++
	return f.sets[overflow]
}

// addSet makes a label set, with all its counters at zero.
func (f *fold) addSet(ctx context.Context, l labels) *labelSet {
	set := newLabelSet(l)
	for _, a := range f.adders {
		a.zero(ctx, set)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sets[l] = set
	return set
}

// declare makes the series of a label set exist at zero.
func (f *fold) declare(ctx context.Context, l labels) {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	set := f.sets[l]
	if set == nil {
		set = f.addSet(ctx, l)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	set.declared = true
}

// status is what the fold says of itself.
type status struct {
	lastEvent  time.Time
	labelSets  int
	overflowed int64
}

func (f *fold) status() status {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return status{lastEvent: f.last, labelSets: f.eventSets, overflowed: f.overflowed}
}
