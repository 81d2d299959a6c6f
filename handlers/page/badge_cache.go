package page

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// maxBadgeAge is the age up to which a badge is shown, here and by its readers. An
	// event may appear that much later.
	maxBadgeAge = 5 * time.Minute
	// maxBadges is the number of badges that are kept, usually of a kilobyte each.
	maxBadges = 1000
	// maxBadgeSize is the length of the longest badge that is kept, with its key.
	maxBadgeSize = 8 << 10
)

// badgeCache keeps badges until they are maxBadgeAge old, because many readers ask
// for the same one, and that of a year takes long to compute. It is safe for
// concurrent use.
type badgeCache struct {
	now func() time.Time

	mu     sync.Mutex
	badges map[string]*cachedBadge
}

// cachedBadge is a badge that has been rendered or is being rendered.
type cachedBadge struct {
	at   time.Time     // when rendering began
	done chan struct{} // closed when it has ended
	svg  []byte        // nil if it failed
}

func newBadgeCache(now func() time.Time) *badgeCache {
	return &badgeCache{now: now, badges: map[string]*cachedBadge{}}
}

// get returns the badge of a key and its age. Unless it is kept, it is rendered, once
// for all who wait for it. The error is that of render, or of the context.
func (c *badgeCache) get(ctx context.Context, key string, render func() ([]byte, error)) (svg []byte, age time.Duration, err error) {
	for {
		b, mine := c.claim(key)
		if mine {
			defer c.finish(key, b)
			b.svg, err = render()
			return b.svg, 0, err
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("wait for a badge: %w", ctx.Err())
		}
		if b.svg != nil {
			return b.svg, c.now().Sub(b.at), nil
		}
	}
}

// claim returns the badge of a key, and true if the caller must render it and call
// finish.
func (c *badgeCache) claim(key string) (b *cachedBadge, mine bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.badges[key]; ok {
		if age := now.Sub(b.at); age >= 0 && age < maxBadgeAge {
			return b, false
		}
	}
	b = &cachedBadge{at: now, done: make(chan struct{})}
	c.badges[key] = b
	if len(c.badges) > maxBadges {
		c.removeOldest()
	}
	return b, true
}

// finish tells those who wait for a badge. One that failed or is very long is not kept.
func (c *badgeCache) finish(key string, b *cachedBadge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isKept := b.svg != nil && len(key)+len(b.svg) <= maxBadgeSize
	if !isKept && c.badges[key] == b {
		delete(c.badges, key)
	}
	close(b.done)
}

func (c *badgeCache) removeOldest() {
	var oldest string
	for key, b := range c.badges {
		if first, ok := c.badges[oldest]; !ok || b.at.Before(first.at) {
			oldest = key
		}
	}
	delete(c.badges, oldest)
}
