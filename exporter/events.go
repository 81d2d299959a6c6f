package exporter

import (
	"context"
	"fmt"
	"iter"

	"github.com/em-metrics/em-metrics/db"
)

// chunkSize is the number of events read at once. It bounds the memory held by
// events that have been read but not yet applied.
const chunkSize = 2048

// chunk is the result of reading a range of consecutive events.
type chunk struct {
	events []db.Event
	err    error // set if reading stopped before the end of the range
}

// eventsAfter streams the events after a sequence number, in order. It reads
// the history in chunks and prefetches the next ones while the caller applies
// the current one, so that a start keeps two cores busy.
func eventsAfter(ctx context.Context, store *db.Store, seq int64) iter.Seq2[db.Event, error] {
	return func(yield func(db.Event, error) bool) {
		last, err := store.LastEvent(ctx)
		if err != nil {
			yield(db.Event{}, fmt.Errorf("find the last event: %w", err))
			return
		}
		ctx, stop := context.WithCancel(ctx)
		chunks := readChunks(ctx, store, seq, last)
		defer func() {
			stop()
			for c := range chunks { // wait for the reads in progress
				<-c
			}
		}()
		for c := range chunks {
			read := <-c
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

// readChunks reads two chunks at a time and delivers them in order.
func readChunks(ctx context.Context, store *db.Store, seq, last int64) <-chan chan chunk {
	chunks := make(chan chan chunk, 1) // one buffered, one being received: two reads in flight
	go func() {
		defer close(chunks)
		for ; seq < last; seq += chunkSize {
			c := make(chan chunk, 1)
			select {
			case chunks <- c:
				go func(from int64) { c <- readChunk(ctx, store, from, min(from+chunkSize, last)) }(seq)
			case <-ctx.Done():
				return
			}
		}
	}()
	return chunks
}

func readChunk(ctx context.Context, store *db.Store, seq, last int64) (c chunk) {
	c.events = make([]db.Event, 0, last-seq)
	for e, err := range store.EventsBetween(ctx, seq, last) {
		if err != nil {
			c.err = err
			return c
		}
		c.events = append(c.events, e)
	}
	return c
}
