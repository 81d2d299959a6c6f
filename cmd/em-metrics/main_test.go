package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

func TestMain(m *testing.M) {
	// SQLite lets a process choose its locks before the first file only, which
	// some tests open without the store.
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) {
		panic(err)
	}
	programtest.Main(m)
}

// runIn runs a command in this process instead of as a program.
func runIn(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), process{args: args, environ: env, stdin: strings.NewReader(""), stdout: &out, stderr: &err})
	return out.String(), err.String(), code
}
