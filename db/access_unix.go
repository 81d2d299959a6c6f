//go:build unix

package db

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// Modes of access(2).
const (
	mayExecute = 1
	mayWrite   = 2
	mayRead    = 4
)

// checkAccess checks that the files of the database can be read and written. The
// folder must be writable too, because SQLite creates the others beside the first.
func checkAccess(path string) error {
	if err := access("create files in", filepath.Dir(path), mayWrite|mayExecute); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := access("read and write", path+suffix, mayRead|mayWrite); err != nil {
			return err
		}
	}
	return nil
}

// access returns an error if the path exists and cannot be accessed.
func access(action, path string, mode uint32) error {
	err := syscall.Access(path, mode)
	switch {
	case err == nil, errors.Is(err, syscall.ENOENT):
		return nil
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s is on a read-only file system: mount it writable", path)
	case errors.Is(err, syscall.EACCES):
		return noPermission(action, path)
	}
	return fmt.Errorf("check access to %s: %w", path, err)
}
