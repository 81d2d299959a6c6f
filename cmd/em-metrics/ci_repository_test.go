package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is a scratch git repository with a deployment script.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch=main")
	script, err := os.ReadFile(filepath.Join("..", "..", "docs", "em-metrics.sh"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("em-metrics.sh", string(script))
	r.write("deploy.sh", "#!/bin/sh\necho deployed >>deployments\n")
	return r
}

func (r repository) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o755); err != nil { //nolint:gosec // a program
		r.t.Fatal(err)
	}
}

// git runs a command as a user without a configuration.
func (r repository) git(args ...string) string {
	r.t.Helper()
	return r.gitWith(nil, args...)
}

func (r repository) gitWith(env []string, args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", args...)
	command.Dir = r.dir
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}, env...)
	output, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// commit commits with the author date, and returns the commit's hash.
func (r repository) commit(date string) string {
	r.t.Helper()
	r.gitWith([]string{"GIT_AUTHOR_DATE=" + date}, "commit", "--quiet", "--allow-empty", "--message=x")
	return r.git("rev-parse", "HEAD")
}

// clone returns a shallow clone with only the newest commit. Without its origin it
// cannot be deepened.
func (r repository) clone(withOrigin bool) repository {
	r.t.Helper()
	c := newRepository(r.t)
	c.git("remote", "add", "origin", "file://"+r.dir)
	c.git("fetch", "--quiet", "--depth=1", "--no-tags", "origin", "main")
	c.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
	if !withOrigin {
		c.git("remote", "set-url", "origin", "file:///no/such/repository")
	}
	return c
}

const zeros = "0000000000000000000000000000000000000000"

// history returns a repository with five commits, and the hash of the second, which
// may be tagged. The earliest of the other three is neither the first nor the last.
func history(t *testing.T, tags bool) (r repository, second string) {
	t.Helper()
	r = newRepository(t)
	r.commit("2026-01-01T10:00:00+00:00")
	second = r.commit("2026-01-02T10:00:00+00:00")
	if tags {
		r.git("tag", "v1")
	}
	r.commit("2026-01-04T10:00:00+00:00")
	r.commit("2026-01-04T11:30:00+02:00") // 09:30 UTC
	r.commit("2026-01-04T11:00:00+00:00")
	return r, second
}

// ciCases are repositories and the first commits that the service should record.
var ciCases = []struct {
	name string
	make func(*testing.T) (r repository, before string)
	want string
}{
	{"newest tag", func(t *testing.T) (repository, string) {
		r, _ := history(t, true)
		return r, zeros
	}, "2026-01-04T09:30:00.000Z"},
	{"tag on HEAD", func(t *testing.T) (repository, string) {
		r, _ := history(t, true)
		r.git("tag", "v2")
		return r, zeros
	}, "2026-01-04T09:30:00.000Z"},
	{"no tags, pushed commits", func(t *testing.T) (repository, string) { return history(t, false) }, "2026-01-04T09:30:00.000Z"},
	{"no tags, zeros", func(t *testing.T) (repository, string) {
		r, _ := history(t, false)
		r.commit("2026-01-05T10:00:00+00:00")
		return r, zeros
	}, "2026-01-05T10:00:00.000Z"},
	{"manual run", func(t *testing.T) (repository, string) {
		r, _ := history(t, false)
		r.commit("2026-01-05T10:00:00+00:00")
		return r, ""
	}, "2026-01-05T10:00:00.000Z"},
	{"HEAD was pushed before", func(t *testing.T) (repository, string) {
		r, _ := history(t, false)
		return r, r.commit("2026-01-05T10:00:00+00:00")
	}, "2026-01-05T10:00:00.000Z"},
	{"push that was forced", func(t *testing.T) (repository, string) {
		r, _ := history(t, false)
		r.commit("2026-01-05T10:00:00+00:00")
		return r, strings.Repeat("ab", 20)
	}, "2026-01-05T10:00:00.000Z"},
	{"only one commit", func(t *testing.T) (repository, string) {
		r := newRepository(t)
		r.commit("2026-01-01T10:00:00+00:00")
		return r, zeros
	}, "2026-01-01T10:00:00.000Z"},
	{"shallow clone", func(t *testing.T) (repository, string) {
		r, _ := history(t, true)
		return r.clone(true), zeros
	}, "2026-01-04T09:30:00.000Z"},
	{"shallow clone that cannot be deepened", func(t *testing.T) (repository, string) {
		r, _ := history(t, true)
		return r.clone(false), zeros
	}, ""},
	// The service answers 422.
	{"commit in the future", func(t *testing.T) (repository, string) {
		r := newRepository(t)
		r.commit("2096-01-01T10:00:00+00:00")
		return r, zeros
	}, ""},
}

// expectDeployments checks how often the deployment script ran.
func (r repository) expectDeployments(want int) {
	r.t.Helper()
	content, _ := os.ReadFile(filepath.Join(r.dir, "deployments"))
	if got := bytes.Count(content, []byte("\n")); got != want {
		r.t.Errorf("the deployment ran %d times, want %d", got, want)
	}
}
