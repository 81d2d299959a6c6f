package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// occupy takes every place of a lane until leave is called.
func occupy(t *testing.T, l *lane) (leave func()) {
	t.Helper()
	var leaves []func()
	for range cap(l.places) {
		leave, err := l.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	return func() {
		for _, leave := range leaves {
			leave()
		}
	}
}

// waitInLane returns when so many wait for a place.
func waitInLane(l *lane, n int64) {
	for l.waiting.Load() != n {
		runtime.Gosched()
	}
}

func TestReadersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(nil, 1)
		leave := occupy(t, l)
		const readers = 200
		order := make(chan int, readers)
		for n := range readers {
			go func() {
				leave, err := l.enter(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				order <- n
				leave()
			}()
			synctest.Wait() // until it waits for its place
		}
		leave()
		for n := range readers {
			if got := <-order; got != n {
				t.Fatalf("reader %d was served after %d others", got, n)
			}
		}
	})
}

// year asks for figures in every way there is.
func year(s *Store) map[string]func(context.Context) error {
	from, to := s.Window(365 * 24 * time.Hour)
	q := dora.Query{From: from, To: to}
	return map[string]func(context.Context) error{
		"Dora":  func(ctx context.Context) error { _, err := s.Dora(ctx, q); return err },
		"Names": func(ctx context.Context) error { _, err := s.Names(ctx, from, to); return err },
		"Explain": func(ctx context.Context) error {
			_, _, err := s.Explain(ctx, dora.DeploymentFrequency, q, Everything, Page{Limit: 1})
			return err
		},
	}
}

// While figures are computed and more are waited for, lists and scrapes are
// answered.
func TestFiguresDelayNothingElse(t *testing.T) {
	s, _ := newStore(t)
	defer occupy(t, s.readers.figures)()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var waiting sync.WaitGroup
	waitCtx, stop := context.WithCancel(t.Context())
	defer waiting.Wait()
	defer stop()
	for range maxFiguresWaiting / 2 {
		waiting.Go(func() { _ = year(s)["Dora"](waitCtx) })
	}
	waitInLane(s.readers.figures, maxFiguresWaiting/2)

	for name, read := range map[string]func() error{
		"Deployments":    func() error { _, _, err := s.Deployments(ctx, DeploymentFilter{Page: Page{Limit: 1}}); return err },
		"Incidents":      func() error { _, _, err := s.Incidents(ctx, IncidentFilter{Page: Page{Limit: 1}}); return err },
		"RecentEvents":   func() error { _, err := s.RecentEvents(ctx, dora.Filter{}, 1); return err },
		"LastEvent":      func() error { _, err := s.LastEvent(ctx); return err },
		"OpenIncidents":  func() error { _, err := s.OpenIncidents(ctx); return err },
		"DoraWindows":    func() error { _, err := s.DoraWindows(ctx, []time.Duration{time.Hour}, nil); return err },
		"Do, and events": func() error { _, err := s.Do(ctx, start("web/prod/1", "08:00", "")); return err },
	} {
		if err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range s.EventsAfter(ctx, 0) {
		if err != nil {
			t.Error(err)
		}
	}
}

// Scrapes have connections of their own.
func TestListsDelayNoScrape(t *testing.T) {
	s, _ := newStore(t)
	defer occupy(t, s.readers.lists)()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.LastEvent(ctx); err != nil {
		t.Error(err)
	}
	if _, err := s.DoraWindows(ctx, []time.Duration{time.Hour}, nil); err != nil {
		t.Error(err)
	}
}

func TestTooManyFiguresAreRefused(t *testing.T) {
	s, _ := newStore(t)
	leave := occupy(t, s.readers.figures)
	var waiting sync.WaitGroup
	for range maxFiguresWaiting {
		waiting.Go(func() {
			if err := year(s)["Dora"](context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	waitInLane(s.readers.figures, maxFiguresWaiting)
	for name, read := range year(s) {
		err := read(t.Context())
		if !HasCode(err, Unavailable) || !strings.Contains(err.Error(), "too many requests for figures at once") {
			t.Errorf("%s: %v", name, err)
		}
	}
	leave()
	waiting.Wait()
	for name, read := range year(s) {
		if err := read(t.Context()); err != nil {
			t.Errorf("%s after the others: %v", name, err)
		}
	}
}

// A request that is given up leaves its place in the queue and, while it reads,
// its connection.
func TestCanceledReadersLeave(t *testing.T) {
	s, _ := newStore(t)
	figures := s.readers.figures
	leave := occupy(t, figures)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	for _, read := range year(s) {
		go func() { errs <- read(ctx) }()
	}
	waitInLane(figures, int64(len(year(s))))
	cancel()
	for range year(s) {
		if err := <-errs; !HasCode(err, Unavailable) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	waitInLane(figures, 0)
	leave()

	canceled := errors.New("canceled while reading")
	for n := range 2 * maxReaders {
		err := figures.snapshot(t.Context(), func(*sql.Tx) error { return fmt.Errorf("%d: %w", n, canceled) })
		if !errors.Is(err, canceled) {
			t.Error(err)
		}
	}
	for _, err := range s.EventsAfter(t.Context(), 0) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for name, l := range map[string]*lane{"figures": figures, "lists": s.readers.lists, "scrapes": s.readers.scrapes} {
		if len(l.places) != 0 || l.waiting.Load() != 0 {
			t.Errorf("%s: %d places are taken and %d wait", name, len(l.places), l.waiting.Load())
		}
	}
}
