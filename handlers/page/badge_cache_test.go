package page

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBadgeIsRenderedOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newBadgeCache(time.Now)
		var rendered atomic.Int64
		var readers sync.WaitGroup
		for range 16 {
			readers.Go(func() {
				svg, age, err := c.get(t.Context(), "key", func() ([]byte, error) {
					time.Sleep(time.Second)
					if rendered.Add(1) == 1 {
						return nil, errors.New("the first fails")
					}
					return []byte("badge"), nil
				})
				if err == nil && (string(svg) != "badge" || age > time.Second) {
					t.Errorf("%q of age %s", svg, age)
				}
			})
		}
		readers.Wait()
		if n := rendered.Load(); n != 2 {
			t.Errorf("rendered %d times, want once after the failure", n)
		}
		time.Sleep(maxBadgeAge)
		if _, age, err := c.get(t.Context(), "key", func() ([]byte, error) { return []byte("new"), nil }); age != 0 || err != nil {
			t.Errorf("a badge of age %s is kept (%v)", age, err)
		}
	})
}

func TestKeptBadgesAreBounded(t *testing.T) {
	c := newBadgeCache(time.Now)
	keep := func(key string, svg string) {
		if _, _, err := c.get(t.Context(), key, func() ([]byte, error) { return []byte(svg), nil }); err != nil {
			t.Fatal(err)
		}
	}
	for n := range maxBadges + 100 {
		keep(fmt.Sprint(n), "badge")
	}
	if len(c.badges) != maxBadges || c.badges["0"] != nil {
		t.Errorf("%d badges are kept, the oldest %v", len(c.badges), c.badges["0"])
	}
	keep("long", strings.Repeat("x", maxBadgeSize))
	if c.badges["long"] != nil {
		t.Error("a very long badge is kept")
	}
}
