package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/em-metrics/em-metrics/handlers"
)

// version is set by the linker when a release is built.
var version string

const versionHelp = `Prints the version, the commit and the version of Go that built it.

Usage:
  em-metrics version
`

// version prints the build information on one line.
func (p process) version(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	if err := p.parseFlags(flags, args, versionHelp); err != nil {
		return err
	}
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
