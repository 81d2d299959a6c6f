package ordered

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Jobs of random keys and durations: those that share a key never overlap and run
// in order, those that are alone overlap with none, and the results are in order.
func TestOrder(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			var mu sync.Mutex
			running, most, ended := map[int]bool{}, 0, map[int]bool{}
			var all []Job[int]
			for i := range 500 {
				keys := []string{fmt.Sprint(r.IntN(20)), fmt.Sprint(r.IntN(20))}[:r.IntN(3)]
				took := time.Duration(r.IntN(100)) * time.Millisecond
				all = append(all, Job[int]{Keys: keys, Alone: r.IntN(50) == 0})
				all[i].Run = func(context.Context) int {
					mu.Lock()
					for j := range i {
						if !ended[j] && dependent(all[i], all[j]) {
							t.Errorf("job %d starts before job %d has ended", i, j)
						}
					}
					running[i] = true
					most = max(most, len(running))
					mu.Unlock()
					time.Sleep(took)
					mu.Lock()
					defer mu.Unlock()
					delete(running, i)
					ended[i] = true
					return i
				}
			}
			got := slices.Collect(Run(t.Context(), 8, slices.Values(all)))
			if len(got) != len(all) || !slices.IsSorted(got) {
				t.Errorf("results %v", got)
			}
			if most != 8 {
				t.Errorf("%d jobs at a time, want 8", most)
			}
		})
	}
}

func dependent[R any](a, b Job[R]) bool {
	return a.Alone || b.Alone || slices.ContainsFunc(a.Keys, func(key string) bool { return slices.Contains(b.Keys, key) })
}

// When the caller stops, no further job is started and the context of the others
// ends.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := 0
		jobs := func(yield func(Job[int]) bool) {
			for i := 0; ; i++ {
				job := Job[int]{Run: func(ctx context.Context) int {
					if i > 2 {
						<-ctx.Done()
						canceled++ // one job at a time
					}
					return i
				}}
				if !yield(job) {
					return
				}
			}
		}
		for result := range Run(t.Context(), 1, jobs) {
			if result == 2 {
				break
			}
		}
		synctest.Wait()
		if canceled > 1 {
			t.Errorf("%d jobs were started after the end", canceled)
		}
	})
}

// The end of a job is forgotten some time after it, so that memory does not grow
// with the number of keys.
func TestKeysAreForgotten(t *testing.T) {
	last, end := map[string]<-chan struct{}{}, make(chan struct{})
	close(end)
	for i := range 10_000 {
		follow(last, []string{fmt.Sprint(i)}, end, 4)
	}
	if len(last) > 65 {
		t.Errorf("%d keys are kept", len(last))
	}
}
