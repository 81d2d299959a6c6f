package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/em-metrics/em-metrics/handlers"
)

// version is set by the linker when a release is built.
var version string

// version prints the build information on one line.
func (p process) version(context.Context, []string) error {
	_, err := fmt.Fprintln(p.stdout, currentBuild())
	return err
}

// currentBuild returns the build information of this binary, as far as the build
// recorded it.
func currentBuild() handlers.Build {
	b := handlers.Build{Version: version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}
