// Package programtest builds the em-metrics program and runs it in tests.
package programtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binaryVariable is the environment variable with the path of the program under
// test.
const binaryVariable = "EM_METRICS_BINARY"

// Main is for TestMain: it builds the program, runs the tests and exits. It does
// not build if EM_METRICS_BINARY already names a program to test.
func Main(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	if os.Getenv(binaryVariable) != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "em-metrics-test")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "em-metrics")
	if err := build(binary); err != nil {
		return 1, err
	}
	if err := os.Setenv(binaryVariable, binary); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// build builds the program in its own module, with the dependencies that a
// release has, whichever module the tests are in.
func build(binary string) error {
	ctx := context.Background()
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/em-metrics/em-metrics").Output()
	if err != nil {
		return fmt.Errorf("find the module of em-metrics: %w", err)
	}
	command := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/em-metrics")
	command.Dir = strings.TrimSpace(string(module))
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build em-metrics: %w\n%s", err, output)
	}
	return nil
}

// Binary returns the path of the program under test.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(binaryVariable)
	if path == "" {
		t.Fatal("TestMain must call programtest.Main")
	}
	return path
}
