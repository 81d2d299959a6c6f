package db

import (
	"context"
	"fmt"
)

// job is something other than commands that is written, in a transaction of its
// own: if it fails, no command fails with it.
type job struct {
	do   func(*tx) error
	done chan error // receives the result
}

// between runs a job in a transaction between two batches of calls. It must be
// short. It waits for no other process's lock: the error is then Unavailable.
func (w *writer) between(ctx context.Context, do func(*tx) error) error {
	j := job{do: do, done: make(chan error, 1)}
	select {
	case w.jobs <- j:
	case <-w.done:
		return unavailable("the service is stopping", nil)
	case <-ctx.Done():
		return fmt.Errorf("wait for the writer: %w", ctx.Err())
	}
	return <-j.done // it has been taken, and is short
}

func (w *writer) runJob(j job) error {
	if err := w.checkFile(); err != nil {
		return err
	}
	t, err := w.open()
	if err != nil {
		return err
	}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return storeError(fmt.Errorf("begin: %w", err))
	}
	if err := j.do(t); err != nil {
		return w.failed("write", err)
	}
	if err := t.exec("COMMIT"); err != nil {
		return w.failed("commit", err)
	}
	return w.checkCommit()
}
