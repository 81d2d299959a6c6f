package db

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckPath returns an error that says what to do if no database file can be
// opened or created at the path. It changes nothing. In particular it does not
// create a missing folder: that may be the mount point of a volume which is not
// mounted, and a new database there would hide the stored one.
func CheckPath(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find the database file: %w", err)
	}
	folder := filepath.Dir(path)
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist: create it, or mount its volume", folder)
	case errors.Is(err, fs.ErrPermission):
		return noPermission("enter", folder)
	case err != nil:
		return fmt.Errorf("find the folder of the database file: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file, not a folder", folder)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it, such as %s", path, filepath.Join(path, "em-metrics.db"))
	}
	return checkAccess(path)
}

func noPermission(action, path string) error {
	return fmt.Errorf("user %d has no permission to %s %s: change its owner (chown) or its mode (chmod)", os.Geteuid(), action, path)
}
