// Package ordered runs jobs concurrently where their order does not matter.
package ordered

import (
	"context"
	"iter"
	"maps"
	"sync"
)

// pending is how many results may wait for that of an earlier job.
const pending = 1024

// Job is one of a sequence of jobs, with a result.
type Job[R any] struct {
	// Keys name what the job changes or depends on. Jobs that share a key run one
	// after the other, in order.
	Keys []string
	// Alone is set if the job depends on all jobs before it, and all jobs after it
	// depend on it.
	Alone bool
	// Run does the work. It should return soon after the context has ended.
	Run func(context.Context) R
}

// running is a job that has been started.
type running[R any] struct {
	result R
	done   chan struct{} // closed when result is set
}

// Run runs jobs, at most limit at a time, and yields their results in the order of
// the jobs. The jobs are read on another goroutine. When the caller stops early,
// the context of the jobs that still run is canceled; Run does not wait for them.
func Run[R any](ctx context.Context, limit int, jobs iter.Seq[Job[R]]) iter.Seq[R] {
	return func(yield func(R) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		started := make(chan *running[R], pending)
		go func() {
			defer close(started)
			start(ctx, limit, jobs, started)
		}()
		for r := range started {
			<-r.done
			if !yield(r.result) {
				return
			}
		}
	}
}

// start starts the jobs in order, until the context ends.
func start[R any](ctx context.Context, limit int, jobs iter.Seq[Job[R]], started chan<- *running[R]) {
	var all sync.WaitGroup
	slots := make(chan struct{}, limit)
	last := map[string]<-chan struct{}{} // for each key, the end of the last job with it
	for job := range jobs {
		if job.Alone {
			all.Wait()
		}
		r := &running[R]{done: make(chan struct{})}
		before := follow(last, job.Keys, r.done, limit)
		// A job that waits for others keeps its slot. They have theirs already.
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case started <- r:
		case <-ctx.Done():
			return
		}
		all.Go(func() {
			for _, earlier := range before {
				<-earlier
			}
			r.result = job.Run(ctx)
			close(r.done)
			<-slots
		})
		if job.Alone {
			all.Wait()
		}
	}
}

// follow makes a job the last one with its keys, and returns the ends of those that
// were.
func follow(last map[string]<-chan struct{}, keys []string, done <-chan struct{}, limit int) (before []<-chan struct{}) {
	for _, key := range keys {
		if earlier, ok := last[key]; ok && earlier != done {
			before = append(before, earlier)
		}
		last[key] = done
	}
	if len(last) > 16*limit { // most of them have ended
		maps.DeleteFunc(last, func(_ string, end <-chan struct{}) bool {
			select {
			case <-end:
				return true
			default:
				return false
			}
		})
	}
	return before
}
