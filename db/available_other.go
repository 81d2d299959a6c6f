//go:build !unix || netbsd || solaris || openbsd || illumos

package db

// Available returns how many bytes are free on the file system of the
// database, where the platform tells. This one does not.
func (s *Store) Available() (bytes int64, known bool, err error) { return 0, false, nil }
