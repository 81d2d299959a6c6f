package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every validation of a variable rejects something: without it, a run in
// tests/validation.tftest.hcl that expects a failure does not get one.
func TestEveryValidationRejectsSomething(t *testing.T) {
	source := read(t, "../../tf/variables.tf")
	runs := runsByVariable(t, read(t, "../../tf/tests/validation.tftest.hcl"))
	variable := ""
	count := map[string]int{}
	lines := strings.SplitAfter(source, "\n")
	for start, line := range lines {
		if match := regexp.MustCompile(`^variable "(\w+)" \{`).FindStringSubmatch(line); match != nil {
			variable = match[1]
		}
		if line != "  validation {\n" {
			continue
		}
		end := start
		for lines[end] != "  }\n" {
			end++
		}
		count[variable]++
		name := variable
		without := strings.Join(lines[:start], "") + strings.Join(lines[end+1:], "")
		t.Run(fmt.Sprintf("%s %d", variable, count[variable]), func(t *testing.T) {
			t.Parallel()
			if len(runs[name]) == 0 {
				t.Fatalf("no run expects %s to reject a value", name)
			}
			if !rejectsAll(t, source, runs[name]) {
				t.Fatalf("the runs of %s fail with this validation", name)
			}
			if rejectsAll(t, without, runs[name]) {
				t.Errorf("every run of %s passes without this validation", name)
			}
		})
	}
	if len(count) < 25 {
		t.Errorf("only %d variables have a validation", len(count))
	}
}

// rejectsAll reports whether all runs pass, that is, whether the variables reject
// every value that they should. The runs need only the variables of the module.
func rejectsAll(t *testing.T, variables string, runs []string) bool {
	t.Helper()
	dir := t.TempDir()
	tests := `variables {
  image = { tag = "1.0.0" }
  token = "` + token + `"
}
` + strings.Join(runs, "\n")
	for name, text := range map[string]string{"variables.tf": variables, "validation.tftest.hcl": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output, ok := terraform(t, dir, "test", "-no-color")
	if !strings.Contains(string(output), " passed, ") {
		t.Fatalf("the runs did not finish: %s", output)
	}
	return ok
}

// runsByVariable returns the runs that expect a variable to reject its value.
func runsByVariable(t *testing.T, tests string) map[string][]string {
	t.Helper()
	runs := map[string][]string{}
	for _, run := range regexp.MustCompile(`(?ms)^run "\w+" \{\n.*?^\}\n`).FindAllString(tests, -1) {
		match := regexp.MustCompile(`expect_failures = \[var\.(\w+)\]`).FindStringSubmatch(run)
		if match == nil {
			t.Fatalf("this run does not expect a failure:\n%s", run)
		}
		runs[match[1]] = append(runs[match[1]], run)
	}
	return runs
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
