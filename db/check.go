package db

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

const (
	// checkedAtOpen is up to which size a file is checked before it is opened, which
	// takes about a tenth of a second.
	checkedAtOpen = 32 << 20
	// checkPause is the delay before the check of a file in use, which must not slow
	// the start, and before a check that could not be carried out is repeated.
	checkPause = time.Second
)

// fileCheck checks a large file while the store is in use. The file counts as sound
// until damage is found.
type fileCheck struct {
	damage atomic.Pointer[Error] // nil as long as none was found
	cancel context.CancelFunc    // nil if there is nothing to do
	done   chan struct{}         // closed when it has ended
}

// err returns the damage that was found. A nil check finds none.
func (c *fileCheck) err() error {
	if c == nil {
		return nil
	}
	if found := c.damage.Load(); found != nil {
		return found
	}
	return nil
}

// start begins the check over a connection that is opened now.
func (c *fileCheck) start(ctx context.Context, s *Store) error {
	pool, err := openReadOnly(ctx, s.path, s.busy, 1)
	if err != nil {
		return err
	}
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.done = make(chan struct{})
	go func() {
		defer close(c.done)
		defer pool.Close()
		c.run(ctx, pool)
	}()
	return nil
}

func (c *fileCheck) run(ctx context.Context, pool *sql.DB) {
	for {
		select {
		case <-time.After(checkPause):
		case <-ctx.Done():
			return
		}
		err := check(ctx, pool)
		if err == nil || ctx.Err() != nil {
			return
		}
		if damage(err) {
			c.damage.Store(unavailable("the database file is damaged: restore a backup, then restart", err))
			return
		}
	}
}

// stop ends the check and closes its connection.
func (c *fileCheck) stop() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
	}
}

// checkNow checks the file before it is used, unless that can be done beside the
// service: a large file of the newest schema in which header, size and log agree.
// The header must have been read before the file was opened.
func (s *Store) checkNow(ctx context.Context, pool *sql.DB, h header) (later bool, err error) {
	steps, err := migrationSteps()
	if err != nil {
		return false, err
	}
	if h.size > checkedAtOpen && h.agrees() {
		var version int
		var pages int64
		err := pool.QueryRowContext(ctx, "SELECT user_version, page_count FROM pragma_user_version, pragma_page_count").
			Scan(&version, &pages)
		// With its log the file has no fewer pages than without, unless a part of the
		// log is missing.
		if err == nil && version == len(steps) && pages >= h.pages {
			return true, nil
		}
	}
	return false, check(ctx, pool)
}

// check reads the structure of the whole file, because a damaged page is
// otherwise noticed only when it is touched, and a file cut short not at all.
func check(ctx context.Context, pool *sql.DB) error {
	var result string
	if err := pool.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("check the database file: %w", storeError(err))
	}
	if result != "ok" {
		return unavailable("the database file is damaged: restore a backup", errors.New(result))
	}
	return nil
}

// header has the fields of the header of the file, without its log, and the real size.
type header struct {
	size            int64
	pageSize, pages int64
	current         bool // the number of pages is valid
}

// readHeader reads the header of the file. It must not be open in this process:
// where locks belong to the process, closing the file ends them.
func readHeader(path string) (h header, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return header{}, nil
	}
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return header{}, err
	}
	content := make([]byte, 100)
	if _, err := io.ReadFull(f, content); err != nil || !bytes.HasPrefix(content, []byte("SQLite format 3\x00")) {
		return header{size: info.Size()}, nil // the check will say what it is
	}
	number := func(at int) int64 { return int64(binary.BigEndian.Uint32(content[at:])) }
	h = header{
		size: info.Size(), pageSize: int64(binary.BigEndian.Uint16(content[16:])), pages: number(28),
		current: number(24) == number(92),
	}
	if h.pageSize == 1 {
		h.pageSize = 65536
	}
	return h, nil
}

// agrees reports whether the file has the size that it should have.
func (h header) agrees() bool { return h.current && h.size == h.pages*h.pageSize }
