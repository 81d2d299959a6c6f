package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestStopperStopsTheLastPartFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stopper{limit: 10 * time.Second}
		var stopped []string
		start := func(name string, share float64, err error) {
			s.onStop(share, func(ctx context.Context) error {
				if share > 0 {
					<-ctx.Done() // it takes all the time that it is given
				}
				stopped = append(stopped, fmt.Sprintf("%s at %s", name, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))))
				return err
			})
		}
		lost, stuck := errors.New("lost"), errors.New("stuck")
		start("store", 0, lost)
		start("push", 0.3, nil)
		start("requests", 0.5, stuck)
		if err := s.stop(); !errors.Is(err, lost) || !errors.Is(err, stuck) {
			t.Errorf("the error is %v, want both", err)
		}
		if want := []string{"requests at 5s", "push at 8s", "store at 8s"}; !slices.Equal(stopped, want) {
			t.Errorf("stopped %q, want %q", stopped, want)
		}
		if err := s.stop(); err != nil || len(stopped) != 3 {
			t.Errorf("stopped again: %q (%v)", stopped, err)
		}
	})
}
