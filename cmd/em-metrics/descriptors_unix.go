//go:build unix

package main

import (
	"math"
	"syscall"
)

// descriptorLimit returns how many file descriptors this process may have open.
// The Go runtime has raised the soft limit to the hard one.
func descriptorLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxUint64
	}
	return uint64(limit.Cur) //nolint:gosec,unconvert // the type differs by platform
}
