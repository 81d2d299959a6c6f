package exporter

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/em-metrics/em-metrics/db"
)

// A start from the first event takes longer the longer the history is. So the
// totals are saved now and then, with the event up to which they go, and a start
// applies only what came after it.

const (
	// snapshotVersion is part of the layout of snapshots. It changes when the
	// encoding or what a measure means does.
	snapshotVersion = 1
	// snapshotInterval is after how many events, and one for each label set, the
	// totals are saved again. A start applies so many in about 20 milliseconds.
	snapshotInterval = 10_000
	// snapshotTimeout bounds how long a save may take.
	snapshotTimeout = 5 * time.Second
)

// snapshots saves the totals in the background, once at a time.
type snapshots struct {
	mu      sync.Mutex
	seq     int64         // the last event in the newest snapshot that was saved, loaded or tried
	running chan struct{} // closed when the running save has ended; nil before the first
}

// layout names what a snapshot means: it is of no use to a fold with other
// instruments, bounds or limits.
func layout(table []instrument, limit int) string {
	h := sha256.New()
	fmt.Fprintln(h, snapshotVersion, limit)
	for _, i := range table {
		fmt.Fprintf(h, "%q %q %t %d\n", i.name, i.kinds, i.measure != nil, i.bounds)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

// canRestore reports whether the outputs can be written from totals. Exponential
// buckets cannot.
func (f *fold) canRestore() bool {
	for _, o := range f.outlets {
		if _, exponential := o.aggregation(sdkmetric.InstrumentKindHistogram).(sdkmetric.AggregationBase2ExponentialHistogram); exponential {
			return false
		}
	}
	return true
}

// begin starts with the newest snapshot, or before the first event if there is
// none that can be used.
func (f *fold) begin(ctx context.Context) error {
	epoch, err := f.store.Epoch(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.epoch = epoch
	f.mu.Unlock()
	if !f.canRestore() {
		return nil
	}
	saved, err := f.store.LoadSnapshot(ctx, layout(instruments(), f.limit), epoch)
	if err != nil || saved == nil {
		return err
	}
	content, err := decompress(saved)
	var state *snapshotState
	if err == nil {
		state, err = decodeSnapshot(content, instruments())
	}
	if err != nil {
		f.logger.Warn("the snapshot cannot be read: replaying all events", "error", err)
		return nil
	}
	for last, err := range f.store.EventsBetween(ctx, state.seq-1, state.seq) {
		if err != nil {
			return err
		}
		f.restore(ctx, state, last)
	}
	return nil
}

func decompress(saved []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(saved))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	content, err := io.ReadAll(r) // fails if the checksum is wrong
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return content, nil
}

// position returns the last event that was applied, and its history.
func (f *fold) position() (epoch string, last db.Event) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.epoch, f.newest
}

// restore makes the totals those of a snapshot, which go up to the event last.
func (f *fold) restore(ctx context.Context, state *snapshotState, last db.Event) {
	for kind, t := range state.kinds {
		f.addEvents(ctx, kind, t.count)
	}
	for _, s := range state.sets {
		f.restoreSet(ctx, s)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest, f.kinds, f.overflowed = last, state.kinds, state.overflowed
	for _, l := range state.places {
		f.places.Take(l)
	}
	f.snapshots.saved(state.seq)
	f.logger.Info("totals read from a snapshot", "seq", state.seq, "label_sets", f.eventSets)
}

func (f *fold) restoreSet(ctx context.Context, s setState) {
	set := f.sets[s.labels] // there is one already if it is declared
	switch {
	case s.labels == overflow:
		f.mu.Lock()
		set = f.newSet(overflow)
		f.mu.Unlock()
	case set == nil:
		set = f.addSet(ctx, s.labels)
	}
	for _, a := range f.adders {
		if t := s.series[a.index]; t.count > 0 {
			a.restore(ctx, t.count, set)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	set.firstEvent, set.series = s.firstEvent, s.series
	for _, t := range s.series {
		f.seriesStarted(t)
	}
	if s.labels != overflow {
		f.eventSets++
	}
}

// saveIfDue starts to save the totals in the background if many events have been
// applied since that was done last. The caller must hold applying.
func (f *fold) saveIfDue() {
	every := int64(snapshotInterval + f.eventSets)
	if ended, due := f.snapshots.start(f.newest.Seq, every); due {
		go f.save(context.Background(), f.encode(), every, ended)
	}
}

// saveNow saves the totals, unless that has been done since the last event.
func (f *fold) saveNow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	if f.complete.Load() {
		if err := f.catchUp(ctx); err != nil {
			return err
		}
	}
	leave, err := f.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := f.snapshots.wait(ctx); err != nil {
		return err
	}
	if ended, due := f.snapshots.start(f.newest.Seq, 1); due {
		f.save(ctx, f.encode(), 1, ended)
	}
	return nil
}

// save saves a snapshot, unless another process has saved one less than so many
// events ago.
func (f *fold) save(ctx context.Context, sn db.Snapshot, every int64, ended chan<- struct{}) {
	defer close(ended)
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	seq, err := f.store.SnapshotSeq(ctx, sn.Layout, sn.Epoch)
	if err == nil && seq > sn.Last.Seq-every {
		f.snapshots.saved(seq)
		return
	}
	if err == nil {
		sn.Content, err = compress(sn.Content)
	}
	if err == nil {
		err = f.store.SaveSnapshot(ctx, sn)
	}
	if err != nil && !errors.Is(err, db.ErrOtherHistory) { // which the next collection notices
		f.logger.Warn("the totals could not be saved: a start will take longer", "error", err)
	}
}

func compress(content []byte) ([]byte, error) {
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return compressed.Bytes(), nil
}

// start reports whether a save is due at an event: so many events after the last
// one, and none is running. The caller must then close the channel when it has
// ended.
func (s *snapshots) start(seq, every int64) (ended chan<- struct{}, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq-s.seq < every {
		return nil, false
	}
	if s.running != nil {
		select {
		case <-s.running:
		default:
			return nil, false
		}
	}
	s.seq, s.running = seq, make(chan struct{})
	return s.running, true
}

// saved notes up to which event there is a snapshot.
func (s *snapshots) saved(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq = seq
}

// wait waits until the running save has ended.
func (s *snapshots) wait(ctx context.Context) error {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running == nil {
		return nil
	}
	select {
	case <-running:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the snapshot: %w", ctx.Err())
	}
}
