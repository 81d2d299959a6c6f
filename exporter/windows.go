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

// maxWindowAge is how long series are kept without an event. Deployments leave
// a window without one.
const maxWindowAge = time.Minute

// firstWindowPatience is the time that a collection waits when there is nothing to
// show yet. It is long enough for tens of thousands of deployments; with more, the first
// scrape after a start may have no figures of windows, but it has the totals.
const firstWindowPatience = 250 * time.Millisecond

// defaultWindowPatience is about the time that the other series of a hundred
// projects take.
const defaultWindowPatience = 20 * time.Millisecond

// windows are the figures of the store as gauges. They are computed when they
// are collected, and kept until an event arrives or a minute passes.
//
// A collection waits for the computation, but no longer than its patience. In
// a store where computing takes longer, it shows the latest series and leaves
// the new ones to the next collection, so that a scrape is never slow.
type windows struct {
	store    *db.Store
	fold     *fold
	logger   *slog.Logger
	lengths  []time.Duration // the shortest first
	limit    int
	patience time.Duration

	closing context.Context // ends with close
	close   context.CancelFunc
	begin   sync.Once // when the series that were saved are read
	mu      sync.Mutex
	running chan struct{} // closed when the running computation ends; nil if none runs
	latest  *windowSeries // nil before the first computation, or if the last one failed
	took    time.Duration // by the last computation
}

// newWindows returns the windows of the options, nil if there are none.
func newWindows(store *db.Store, f *fold, o Options) *windows {
	if len(o.Windows) == 0 {
		return nil
	}
	w := &windows{
		store: store, fold: f, logger: o.Logger, limit: cmp.Or(o.WindowSeriesLimit, defaultWindowSeries),
		lengths:  slices.Compact(slices.Sorted(slices.Values(o.Windows))),
		patience: cmp.Or(o.WindowPatience, defaultWindowPatience),
	}
	w.closing, w.close = context.WithCancel(context.Background())
	return w
}

// collect returns the series to show. It returns nil if they cannot be
// computed: they are then absent, and everything else is collected.
func (w *windows) collect(ctx context.Context) *windowSeries {
	event, err := w.store.LastEvent(ctx)
	if err != nil {
		w.logger.ErrorContext(ctx, "figures of windows not available", "error", err)
		return nil
	}
	w.begin.Do(func() { w.startWithSaved(ctx) })
	w.mu.Lock()
	if w.running == nil && w.isStale(event) {
		w.running = make(chan struct{})
		go w.compute(w.running)
	}
	running, first, slow := w.running, w.latest == nil, w.took > w.patience
	w.mu.Unlock()
	switch {
	case running == nil:
	case first: // there is nothing else to show
		wait(ctx, running, max(firstWindowPatience, w.patience))
	case !slow:
		wait(ctx, running, w.patience)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// startWithSaved shows the series that were saved until there are newer ones.
func (w *windows) startWithSaved(ctx context.Context) {
	saved, err := w.load(ctx)
	if err != nil {
		w.logger.WarnContext(ctx, "saved figures of windows not available", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest = saved
}

// wait waits until the channel is closed, but no longer than the limit.
func wait(ctx context.Context, running <-chan struct{}, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-running:
	case <-ctx.Done():
	}
}

// isStale reports whether the series must be computed again.
func (w *windows) isStale(event int64) bool {
	if w.latest == nil || event != w.latest.event {
		return true
	}
	age := w.store.Now().Sub(w.latest.at)
	return age < 0 || age >= maxWindowAge
}

// compute computes the series and closes the channel when it ends.
func (w *windows) compute(running chan struct{}) {
	start := time.Now()
	latest, err := w.read(w.closing)
	if err != nil && w.closing.Err() == nil {
		w.logger.Error("figures of windows not available", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest, w.took, w.running = latest, time.Since(start), nil
	close(running)
}

func (w *windows) read(ctx context.Context) (*windowSeries, error) {
	// The last event is read first: the totals may include one that arrives
	// meanwhile, which makes them stale.
	event, err := w.store.LastEvent(ctx)
	if err != nil {
		return nil, err
	}
	now := w.store.Now()
	totals, err := w.store.DoraWindows(ctx, w.lengths, w.fold.takenPlaces())
	if err != nil {
		return nil, err
	}
	return newWindowSeries(now, event, w.lengths[0], totals, w.limit), nil
}

// shutdown cancels a running computation and waits until it has ended. The
// store may be closed afterwards.
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
