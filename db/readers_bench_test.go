package db

import (
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkLists measures lists for many callers at once, beside the same without
// the queue in front of the connections, where database/sql chooses who is next.
func BenchmarkLists(b *testing.B) {
	s := openStore(b, filepath.Join(b.TempDir(), "em-metrics.db"), Options{})
	var commands []Command
	for n := range 1000 {
		commands = append(commands, start(fmt.Sprintf("web/prod/%d", n), "08:00", "09:00"))
	}
	if _, err := s.Do(b.Context(), commands...); err != nil {
		b.Fatal(err)
	}
	inOrder := s.readers.lists
	for _, way := range []struct {
		name string
		lane *lane
	}{{"in-order", inOrder}, {"database-sql", newLane(inOrder.pool, 1000)}} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", way.name, callers), func(b *testing.B) {
				share(b, callers, func(int64) error {
					_, _, err := deployments().list(b.Context(), way.lane, conditions{}, Page{Limit: 20})
					return err
				})
			})
		}
	}
}
