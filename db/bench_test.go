package db

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkDo measures durable deployments a second by group commit, beside
// what they are to be compared with in the same run: one commit a request
// through a pool of connections (the naive way), and the bare fdatasync of an
// appended page, which is the most commits the disk could do one by one.
func BenchmarkDo(b *testing.B) {
	for _, callers := range []int{1, 4, 16, 64, 256} {
		b.Run(fmt.Sprintf("group-commit/callers=%d", callers), func(b *testing.B) {
			s := openStore(b, filepath.Join(b.TempDir(), "em-metrics.db"), Options{})
			commit := time.Now().Add(-time.Hour)
			share(b, callers, func(n int64) error {
				_, err := s.Do(b.Context(), StartDeployment{
					Key:           Key{Project: fmt.Sprintf("project-%d", n%50), Environment: "production", ID: fmt.Sprintf("run-%09d", n)},
					FirstCommitAt: commit,
				})
				return err
			})
		})
	}
	for _, callers := range []int{1, 4, 16, 64, 256} {
		b.Run(fmt.Sprintf("naive/callers=%d", callers), func(b *testing.B) {
			pool := naivePool(b)
			now := time.Now().UnixMilli()
			share(b, callers, func(n int64) error { return naiveStart(b.Context(), pool, n, now) })
		})
	}
	b.Run("fdatasync", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "pages"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		page := make([]byte, 4096)
		share(b, 1, func(int64) error {
			if _, err := f.Write(page); err != nil {
				return err
			}
			return fdatasync(f)
		})
	})
}

// BenchmarkGeneratedID measures durable incidents without an id, one by one, in a
// project that has many.
func BenchmarkGeneratedID(b *testing.B) {
	for _, stored := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("stored=%d", stored), func(b *testing.B) {
			s := openStore(b, filepath.Join(b.TempDir(), "em-metrics.db"), Options{})
			for stored := stored; stored > 0; stored -= 1000 {
				opened := make([]Command, 1000)
				for i := range opened {
					opened[i] = OpenIncident{Key: Key{Project: "shop", Environment: "production"}}
				}
				if _, err := s.Do(b.Context(), opened...); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := s.Do(b.Context(), OpenIncident{Key: Key{Project: "shop", Environment: "production"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// share does the work b.N times, shared among the callers, and reports how
// many were done a second and how long the slowest hundredth took at least.
func share(b *testing.B, callers int, work func(n int64) error) {
	b.Helper()
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		taken = make([]time.Duration, b.N)
	)
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				start := time.Now()
				if err := work(n); err != nil {
					b.Error(err)
					return
				}
				taken[n-1] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(taken)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(taken[len(taken)*99/100].Microseconds())/1000, "p99-ms")
}

// naivePool opens the same schema with the same durability, and as many
// connections as there are callers.
func naivePool(b *testing.B) *sql.DB {
	path := filepath.Join(b.TempDir(), "em-metrics.db")
	if err := openStore(b, path, Options{}).Close(); err != nil {
		b.Fatal(err)
	}
	pool, err := sql.Open("sqlite", dataSource(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(60000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
	}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pool.Close() })
	return pool
}

func naiveStart(ctx context.Context, pool *sql.DB, n, now int64) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // After a commit there is nothing to roll back.
	project, id := fmt.Sprintf("project-%d", n%50), fmt.Sprintf("run-%09d", n)
	_, err = tx.ExecContext(ctx, `INSERT INTO deployments (project_id, environment, id, first_commit_at,
		deploy_start_at, began_at, recorded_at) VALUES (?, 'production', ?, ?, ?, ?, ?)`, project, id, now, now, now, now)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO events (kind, project_id, environment, subject_id, occurred_at,
		recorded_at) VALUES ('deployment_started', ?, 'production', ?, ?, ?)`, project, id, now, now)
	if err != nil {
		return err
	}
	return tx.Commit()
}
