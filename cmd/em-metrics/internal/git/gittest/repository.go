// Package gittest makes git repositories for tests, and computes from git log what
// a deployment brings.
package gittest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Repository is a scratch repository with the branch main.
type Repository struct {
	t testing.TB
	// Dir is the folder of its working tree.
	Dir string
}

// New returns an empty repository.
func New(t testing.TB) *Repository {
	t.Helper()
	r := &Repository{t, t.TempDir()}
	r.Git("init", "--quiet", "--initial-branch=main")
	return r
}

// Environ returns the environment of a git without a configuration of its own.
func (r *Repository) Environ() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.Dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
}

// Git runs git, which must succeed, and returns what it printed.
func (r *Repository) Git(args ...string) string {
	r.t.Helper()
	return r.run(nil, "", args...)
}

func (r *Repository) run(environ []string, input string, args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", args...)
	command.Dir, command.Env, command.Stdin = r.Dir, append(r.Environ(), environ...), strings.NewReader(input)
	output, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// Commit changes the file, or nothing if it is empty, commits that at a time, and
// returns the hash.
func (r *Repository) Commit(at time.Time, file string) string {
	r.t.Helper()
	if file != "" {
		name := filepath.Join(r.Dir, file)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(at.String()), 0o600); err != nil {
			r.t.Fatal(err)
		}
		r.Git("add", "--", file)
	}
	r.At(at, "commit", "--quiet", "--allow-empty", "--message=x")
	return r.Git("rev-parse", "HEAD")
}

// At runs a git command that commits, at a time. A command that repeats commits
// keeps their author dates.
func (r *Repository) At(at time.Time, args ...string) {
	r.t.Helper()
	date := at.Format(time.RFC3339)
	r.run([]string{"GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date}, "", args...)
}

// Clone returns a clone as CI systems make them: of one commit only, with its history
// down to a depth. 0 means all of it. Its working tree is empty.
func (r *Repository) Clone(commit string, depth int) *Repository {
	r.t.Helper()
	c := New(r.t)
	c.Git("remote", "add", "origin", "file://"+r.Dir)
	args := []string{"fetch", "--quiet", "--no-tags", "origin", commit}
	if depth > 0 {
		args = append(args, fmt.Sprintf("--depth=%d", depth))
	}
	c.Git(args...)
	c.Git("update-ref", "--no-deref", "HEAD", "FETCH_HEAD")
	return c
}
