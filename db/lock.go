package db

import (
	"fmt"
	"slices"
	"time"
)

// lockWait is how long one attempt to get the write lock lasts. Between attempts
// the writer looks at who still waits.
const lockWait = 50 * time.Millisecond

// begin gets the write lock. While another process holds it, the calls that have
// waited for long enough are answered; those still waiting are returned.
func (w *writer) begin(t *tx, batch []*call) ([]*call, error) {
	for {
		err := t.exec("BEGIN IMMEDIATE")
		if !isBusy(err) {
			return batch, err
		}
		w.failing.Store(true)
		if batch = w.refuse(batch, storeError(fmt.Errorf("begin: %w", err))); len(batch) == 0 {
			return nil, nil
		}
	}
}

// refuse answers the calls that may not wait for the write lock any longer, and
// returns the others.
func (w *writer) refuse(batch []*call, locked error) []*call {
	now := time.Now()
	return slices.DeleteFunc(batch, func(c *call) bool {
		select {
		case <-w.hurried:
			c.answer(unavailable("the service is stopping", locked))
			return true
		default:
		}
		late := !now.Before(c.deadline)
		if late {
			c.answer(locked)
		}
		return late
	})
}
