//go:build unix && !netbsd && !solaris && !openbsd && !illumos

package db

import (
	"fmt"
	"path/filepath"
	"syscall"
)

// Available returns how many bytes are free on the file system of the
// database, where the platform tells.
func (s *Store) Available() (bytes int64, known bool, err error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(s.path), &stat); err != nil {
		return 0, false, fmt.Errorf("free space of the store: %w", err)
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true, nil //nolint:gosec,unconvert // the types differ by platform
}
