package exporter

import (
	"context"
	"iter"

	"github.com/em-metrics/em-metrics/db"
)

const (
	batchSize   = 256 // events: enough that handing them over costs little
	batchesRead = 4   // that may wait to be used
)

// ahead gives the events of a stream while it reads on in the background. A
// start with a long history is a third shorter when reading the events and
// applying them overlap.
func ahead(
	ctx context.Context, stream func(context.Context) iter.Seq2[db.Event, error],
) iter.Seq2[db.Event, error] {
	return func(yield func(db.Event, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		batches := make(chan []db.Event, batchesRead)
		var failure error // set before batches is closed
		go func() {
			defer close(batches)
			failure = readBatches(ctx, stream(ctx), batches)
		}()
		defer func() {
			stop()
			for range batches { // until the reading has ended
			}
		}()
		for batch := range batches {
			for _, e := range batch {
				if !yield(e, nil) {
					return
				}
			}
		}
		if failure != nil {
			yield(db.Event{}, failure)
		}
	}
}

// readBatches sends the events in batches, and returns what ended the stream.
func readBatches(ctx context.Context, events iter.Seq2[db.Event, error], batches chan<- []db.Event) (failure error) {
	var batch []db.Event
	send := func() error {
		select {
		case batches <- batch:
			batch = make([]db.Event, 0, batchSize)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for e, err := range events {
		if failure = err; err != nil {
			break
		}
		if batch = append(batch, e); len(batch) == batchSize {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := send(); err != nil {
		return err
	}
	return failure
}
