package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// snippet returns the only code block of the README in this language that contains
// the text.
func snippet(t *testing.T, language, text string) string {
	t.Helper()
	return snippetOf(t, "README.md", language, text)
}

// snippetOf is snippet for a file of this project.
func snippetOf(t *testing.T, file, language, text string) string {
	t.Helper()
	var found []string
	for _, part := range strings.Split(readFile(t, file), "\n```"+language+"\n")[1:] {
		if block, _, _ := strings.Cut(part, "\n```"); strings.Contains(block, text) {
			found = append(found, block+"\n")
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d blocks of %s in %s contain %q, want 1", len(found), language, file, text)
	}
	return found[0]
}

// The commands that start the service for production work when they are pasted, and
// protect the token.
func TestProductionStart(t *testing.T) {
	dir := t.TempDir()
	script := fmt.Sprintf("cd %s\n%s", dir, snippet(t, "sh", "SQLITE_DB=data/em-metrics.db em-metrics"))
	script = strings.Replace(script, "SQLITE_DB=", "exec env SQLITE_DB=", 1) // so that a signal reaches the service
	env := []string{"PATH=" + filepath.Dir(programtest.Binary(t)) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOST=127.0.0.1", "PORT=0"}
	for range 2 { // the second start keeps the token and the data
		p := programtest.Start(t, "bash", []string{"-e", "-c", script}, env)
		address := p.WaitFor(programtest.Listening)
		token, err := os.ReadFile(filepath.Join(dir, "token"))
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("status %s (%v), want 200", response.Status, err)
		}
		if err := p.Stop(os.Interrupt); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]os.FileMode{"token": 0o600, "data": 0o700 | os.ModeDir} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v (%v), want mode %s", name, info, err, want)
		}
	}
}
