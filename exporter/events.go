package exporter

import (
	"context"
	"fmt"
	"iter"

	"github.com/em-metrics/em-metrics/db"
)

// stretchSize is the number of events that are read at once. It keeps what
// waits to be applied small.
const stretchSize = 2048

// stretch is what reading some consecutive events gave.
type stretch struct {
	events []db.Event
	err    error // why there are no more
}

// eventsAfter streams the events after a sequence number, in order. A long
// history is read in stretches, the next ones while the first is applied,
// which uses two cores for a start.
func eventsAfter(ctx context.Context, store *db.Store, seq int64) iter.Seq2[db.Event, error] {
	return func(yield func(db.Event, error) bool) {
		last, err := store.LastEvent(ctx)
		if err != nil {
			yield(db.Event{}, fmt.Errorf("find the last event: %w", err))
			return
		}
		ctx, stop := context.WithCancel(ctx)
		stretches := readStretches(ctx, store, seq, last)
		defer func() {
			stop()
			for s := range stretches { // until every reading has ended
				<-s
			}
		}()
		for s := range stretches {
			read := <-s
			for _, e := range read.events {
				if !yield(e, nil) {
					return
				}
			}
			if read.err != nil {
				yield(db.Event{}, read.err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(db.Event{}, err)
		}
	}
}

// readStretches reads two stretches at a time and gives them in their order.
func readStretches(ctx context.Context, store *db.Store, seq, last int64) <-chan chan stretch {
	stretches := make(chan chan stretch, 1) // one waits while one is taken: two are read
	go func() {
		defer close(stretches)
		for ; seq < last; seq += stretchSize {
			s := make(chan stretch, 1)
			select {
			case stretches <- s:
				go func(from int64) { s <- readStretch(ctx, store, from, min(from+stretchSize, last)) }(seq)
			case <-ctx.Done():
				return
			}
		}
	}()
	return stretches
}

func readStretch(ctx context.Context, store *db.Store, seq, last int64) (s stretch) {
	s.events = make([]db.Event, 0, last-seq)
	for e, err := range store.EventsBetween(ctx, seq, last) {
		if err != nil {
			s.err = err
			return s
		}
		s.events = append(s.events, e)
	}
	return s
}
