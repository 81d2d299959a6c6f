package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m) }

// runIn runs a command in this process instead of as a program.
func runIn(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), process{args: args, environ: env, stdin: strings.NewReader(""), stdout: &out, stderr: &err})
	return out.String(), err.String(), code
}
