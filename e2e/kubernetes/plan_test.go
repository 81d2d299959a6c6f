package kubernetes

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The credentials for every plan. No plan may contain them.
const (
	token    = "a-token-for-the-tests"
	password = "a-password-for-the-tests"
)

// module copies the Terraform module, with the files beside it that it reads, into a
// folder of the test.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"tf", "prometheus", "grafana/dashboards", "grafana/provisioning"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range []string{"tf/.terraform", "tf/examples/complete/.terraform"} {
		if err := os.RemoveAll(filepath.Join(dir, state)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "tf")
}

// terraform runs Terraform in a folder. It returns the output and whether it
// succeeded.
func terraform(t *testing.T, dir string, args ...string) ([]byte, bool) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "terraform", args...)
	command.Dir = dir
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("terraform %s: %v", strings.Join(args, " "), err)
	}
	return append(output, problems.Bytes()...), err == nil
}

// initialize prepares a module. It only loads the submodules if a CLI configuration
// replaces the provider.
func initialize(t *testing.T, dir string) {
	t.Helper()
	args := []string{"init", "-backend=false", "-input=false"}
	if os.Getenv("TF_CLI_CONFIG_FILE") != "" {
		args = []string{"get"}
	}
	if output, ok := terraform(t, dir, args...); !ok {
		t.Fatalf("terraform %s: %s", args[0], output)
	}
}

// plans returns a plan for each set of variables, by name. The provider is mocked,
// so no cluster is needed.
func plans(t *testing.T, dir string, cases map[string]string) map[string]Plan {
	t.Helper()
	var runs strings.Builder
	runs.WriteString("mock_provider \"kubernetes\" {}\n")
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		fmt.Fprintf(&runs, "run %q {\n  command = plan\n  variables {\n%s\n  }\n}\n", name, cases[name])
	}
	file := filepath.Join("tests", "objects.tftest.hcl")
	if err := os.MkdirAll(filepath.Join(dir, "tests"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(runs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	output, ok := terraform(t, dir, "test", "-json", "-verbose", "-filter="+file)
	if !ok {
		t.Fatalf("terraform test: %s", diagnostics(output))
	}
	return readPlans(t, output)
}

// readPlans returns the plans in the output of terraform test, by run.
func readPlans(t *testing.T, output []byte) map[string]Plan {
	t.Helper()
	found := map[string]Plan{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			Type string `json:"type"`
			Run  string `json:"@testrun"`
			Plan Plan   `json:"test_plan"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Type == "test_plan" {
			found[line.Run] = line.Plan
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// diagnostics returns the error messages in the output of terraform test.
func diagnostics(output []byte) string {
	var messages []string
	for line := range bytes.Lines(output) {
		if !bytes.HasPrefix(line, []byte("{")) {
			messages = append(messages, string(line))
		} else if bytes.Contains(line, []byte(`"type":"diagnostic"`)) {
			messages = append(messages, string(line[:min(len(line), 2000)]))
		}
	}
	return strings.Join(messages, "")
}
