package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// Lines are sent concurrently, except those that depend on each other. The service
// here answers the first line only when the last one that does not depend on it has
// arrived.
func TestReplayKeepsTheOrderThatMatters(t *testing.T) {
	const lines = `
		{"kind": "deployment", "id": "first", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}
		{"kind": "incident", "id": "of-first", "project_id": "shop", "deployment_id": "first"}
		{"kind": "deployment", "id": "first", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z", "deployed_at": "2026-01-31T12:00:00Z"}
		{"kind": "incident", "id": "of-first", "project_id": "shop", "restored_at": "2026-01-31T13:00:00Z"}
		{"kind": "deployment", "id": "first", "project_id": "other", "first_commit_at": "2026-01-31T09:00:00Z"}
		{"kind": "incident", "id": "independent", "project_id": "shop"}
		{"kind": "incident", "project_id": "shop", "started_at": "2026-01-31T13:00:00Z"}
		{"kind": "deployment", "id": "last", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`
	var (
		mu          sync.Mutex
		log         []string
		independent = make(chan struct{})
	)
	write := func(event, name string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, event+" "+name)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ID        string
			ProjectID string `json:"project_id"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		name := strings.TrimPrefix(r.URL.Path+" "+body.ProjectID+" "+body.ID, "/")
		write("arrives", name)
		switch name {
		case "incidents shop independent":
			close(independent)
		case "deployments shop first":
			select {
			case <-independent:
			case <-time.After(20 * time.Second):
				t.Error("the lines are sent one after the other")
			}
		}
		write("ends", name)
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "lines.jsonl")
	if err := os.WriteFile(file, []byte(strings.TrimSpace(lines)), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := runIn(t, []string{"EM_METRICS_URL=" + server.URL}, "replay", file)
	if code != 0 || !strings.HasPrefix(stdout, "8 lines: 4 deployments and 4 incidents, 8 new, 0 rejected") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	chain := []string{
		"ends deployments shop first", "arrives incidents shop of-first",
		"ends incidents shop of-first", "arrives deployments/first/deployed shop ",
		"ends deployments/first/deployed shop ", "arrives incidents shop ", // without an id: after all others
		"ends incidents shop ", "arrives deployments shop last",
	}
	at := -1
	for _, event := range chain {
		next := slices.Index(log, event)
		if next <= at {
			t.Errorf("%q comes too early or not at all:\n%s", event, strings.Join(log, "\n"))
		}
		at = next
	}
}

// Errors are reported in the order of the lines, and the last is the one that ends
// the replay, however many lines fail at the same time.
func TestReplayReportsErrorsInOrder(t *testing.T) {
	var file strings.Builder
	for i := range 100 {
		id := fmt.Sprint(i)
		if i == 60 {
			id = "unauthorized"
		}
		fmt.Fprintf(&file, `{"kind": "deployment", "id": %q, "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z"}`+"\n", id)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ ID string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if body.ID == "unauthorized" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, `{"title": "Conflict of %s"}`, body.ID)
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "lines.jsonl")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := runIn(t, []string{"EM_METRICS_URL=" + server.URL}, "replay", path)
	reported := strings.Split(strings.TrimSpace(stderr), "\n")
	if code != 1 || len(reported) != 61 || !strings.HasPrefix(stdout, "61 lines: 61 deployments and 0 incidents, 0 new, 60 rejected") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	for i, line := range reported[:60] {
		if line != fmt.Sprintf("line %d: Conflict of %d", i+1, i) {
			t.Errorf("error %d is %q", i+1, line)
		}
	}
	if !strings.HasPrefix(reported[60], "Error: line 61: "+server.URL+" answered 401 Unauthorized") {
		t.Errorf("the last error is %q", reported[60])
	}
}

// BenchmarkReplay measures how many deployments a second replay stores. Compare it
// with BenchmarkPost.
//
//	go test -run '^$' -bench Replay -benchtime 20000x ./cmd/em-metrics
func BenchmarkReplay(b *testing.B) {
	var lines strings.Builder
	for i := range b.N {
		fmt.Fprintf(&lines, `{"kind": "deployment", "id": "%d", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z", "deployed_at": "2026-01-31T12:00:00Z"}`+"\n", i)
	}
	file := filepath.Join(b.TempDir(), "lines.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	s := programtest.StartService(b)
	b.ResetTimer()
	stdout, stderr, code := s.Run("replay", file)
	if code != 0 || !strings.Contains(stdout, fmt.Sprintf(" %d new", b.N)) {
		b.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
