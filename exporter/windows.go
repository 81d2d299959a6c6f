package exporter

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/em-metrics/em-metrics/db"
)

// windowsAge is how long figures are shown without an event: what slides out
// of a window, and what was corrected without one, shows by then.
const windowsAge = time.Minute

// defaultWindowPatience is about what the other series of a hundred projects
// take.
const defaultWindowPatience = 20 * time.Millisecond

// windows are the exact figures of the store as gauges. They are computed when
// they are collected, and kept until an event arrives or a minute passes.
//
// A collection waits for the computation as long as its patience lasts. Where
// the store holds so much that computing takes longer, it shows what it has and
// leaves the new figures to the next collection, so that a scrape is never slow.
type windows struct {
	store    *db.Store
	logger   *slog.Logger
	lengths  []time.Duration // the shortest first
	limit    int
	patience time.Duration

	closing context.Context // ends with close
	close   context.CancelFunc
	mu      sync.Mutex
	running chan struct{} // closed when the computation under way ends; nil: there is none
	latest  *computed     // nil: never, or the last one failed
	took    time.Duration // how long the last one took
}

// newWindows makes the windows that are asked for, nil if none are.
func newWindows(store *db.Store, o Options) *windows {
	if len(o.Windows) == 0 {
		return nil
	}
	w := &windows{
		store: store, logger: o.Logger, limit: cmp.Or(o.WindowSeriesLimit, defaultWindowSeries),
		lengths:  slices.Compact(slices.Sorted(slices.Values(o.Windows))),
		patience: cmp.Or(o.WindowPatience, defaultWindowPatience),
	}
	w.closing, w.close = context.WithCancel(context.Background())
	return w
}

// figures returns what to show, nil when it cannot be computed: it is then
// absent, and everything else is collected all the same.
func (w *windows) figures(ctx context.Context) *computed {
	event, err := w.store.LastEvent(ctx)
	if err != nil {
		w.logger.ErrorContext(ctx, "no figures of windows", "error", err)
		return nil
	}
	w.mu.Lock()
	if w.running == nil && w.stale(event) {
		w.running = make(chan struct{})
		go w.compute(w.running)
	}
	running, first, hopeless := w.running, w.latest == nil, w.took > w.patience
	w.mu.Unlock()
	switch {
	case running == nil:
	case first: // there is nothing else to show
		wait(ctx, running, catchUpTimeout)
	case !hopeless:
		wait(ctx, running, w.patience)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

func wait(ctx context.Context, running <-chan struct{}, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	select {
	case <-running:
	case <-ctx.Done():
	}
}

// stale tells whether the figures have to be computed again.
func (w *windows) stale(event int64) bool {
	if w.latest == nil || event != w.latest.event {
		return true
	}
	age := w.store.Now().Sub(w.latest.at)
	return age < 0 || age >= windowsAge
}

// compute computes the figures anew and closes the channel when it has ended.
func (w *windows) compute(running chan struct{}) {
	start := time.Now()
	latest, err := w.read(w.closing)
	if err != nil && w.closing.Err() == nil {
		w.logger.Error("no figures of windows", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest, w.took, w.running = latest, time.Since(start), nil
	close(running)
}

func (w *windows) read(ctx context.Context) (*computed, error) {
	// The last event is read first: one that arrives meanwhile is perhaps in
	// the figures, and makes them be computed again.
	event, err := w.store.LastEvent(ctx)
	if err != nil {
		return nil, err
	}
	now := w.store.Now()
	figures, err := w.store.DoraWindows(ctx, w.lengths)
	if err != nil {
		return nil, err
	}
	return newComputed(now, event, w.lengths, figures, w.limit), nil
}

// shutdown ends a computation under way. The store may be closed afterwards.
func (w *windows) shutdown() {
	if w == nil {
		return
	}
	w.close()
	w.mu.Lock()
	running := w.running
	w.mu.Unlock()
	if running != nil {
		<-running
	}
}
