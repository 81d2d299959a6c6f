package main

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the share of the container's memory that the Go runtime may use.
// SQLite has its memory outside of the runtime: up to 2 MB for each connection.
const memoryShare = 0.9

// limitMemory makes the Go runtime collect garbage more often when its memory
// comes close to the limit of the container, which would kill the process. The
// environment variable GOMEMLIMIT takes precedence.
func limitMemory(logger *slog.Logger) {
	if _, err := memlimit.Set(memlimit.WithRatio(memoryShare)); err != nil {
		logger.Debug("the memory limit of the container cannot be read", "error", err)
	}
}

// memoryLimit returns the memory limit of the Go runtime for the log.
func memoryLimit() string {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return "none"
	}
	return fmt.Sprintf("%d MiB", limit>>20)
}
