// Package git finds the commits of a deployment in a clone. It calls the program
// git, and never changes the working tree, the index or a branch.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Repository is a clone.
type Repository struct {
	// Dir is a folder in the clone. Empty means the working folder.
	Dir string
	// Environ is the environment of git, such as PATH, HOME and credentials. Nil means
	// that of this process.
	Environ []string
	// NoFetch forbids fetching what a shallow clone lacks.
	NoFetch bool
}

// UnknownError means that the clone cannot answer a question, and why.
type UnknownError struct{ Reason string }

// Error returns the reason.
func (e *UnknownError) Error() string { return e.Reason }

func unknown(format string, args ...any) error {
	return &UnknownError{fmt.Errorf(format, args...).Error()}
}

// Resolve returns the full hash of the commit that a revision such as HEAD, v1.2 or
// 3f2a9c1 names. An [*UnknownError] means that it names none in this clone.
func (r Repository) Resolve(ctx context.Context, revision string) (string, error) {
	if strings.HasPrefix(revision, "-") { // git would take it for an option
		return "", unknown("%q is not a revision", revision)
	}
	hash, err := r.run(ctx, "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if isSilent(err) {
		return "", unknown("commit %s is not in this clone", short(revision))
	}
	return hash, err
}

// RemoteName returns the name of the repository that was cloned: see [Name]. It is
// empty if there is no remote origin.
func (r Repository) RemoteName(ctx context.Context) string {
	address, err := r.run(ctx, "remote", "get-url", "origin")
	if err != nil {
		return ""
	}
	return Name(address)
}

// Name returns the name of the repository with this address: the last part of it,
// without .git.
func Name(address string) string {
	address = strings.TrimSuffix(strings.TrimRight(address, "/"), ".git")
	return address[strings.LastIndexAny(address, "/:\\")+1:]
}

// isAncestor reports whether a commit is in the history of another.
func (r Repository) isAncestor(ctx context.Context, commit, of string) (bool, error) {
	_, err := r.run(ctx, "merge-base", "--is-ancestor", commit, of)
	if isSilent(err) {
		return false, nil
	}
	return err == nil, err
}

// exitError is a failure of git.
type exitError struct {
	command string
	message string // what it printed
}

// Error returns what git printed.
func (e *exitError) Error() string { return "git " + e.command + ": " + e.message }

// isSilent reports whether git failed without a message, which is its way to answer no.
func isSilent(err error) bool {
	var failed *exitError
	return errors.As(err, &failed) && failed.message == ""
}

// patience is the time that git has to stop after it was interrupted.
const patience = 500 * time.Millisecond

// run runs git and returns what it printed, without the last newline. A failure is
// an [*UnknownError] if git cannot be run, is not in a repository or took too long.
func (r Repository) run(ctx context.Context, args ...string) (string, error) {
	// No housekeeping beside the deployment.
	command := exec.CommandContext(ctx, "git", append([]string{"-c", "gc.auto=0"}, args...)...)
	command.Dir, command.Env = r.Dir, slices.Clone(r.Environ)
	// Messages in English, no prompt, and no lock that another git could meet.
	command.Env = append(command.Environ(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0")
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	// An interrupted git removes its locks, a killed one does not.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = patience
	err := command.Run()
	switch {
	case err == nil:
		return strings.TrimSuffix(output.String(), "\n"), nil
	case ctx.Err() != nil:
		return "", unknown("git %s took too long", args[0])
	case errors.Is(err, exec.ErrNotFound):
		return "", unknown("git is not installed")
	case strings.Contains(problems.String(), "not a git repository"):
		return "", unknown("this folder is not in a git repository")
	}
	return "", &exitError{args[0], message(problems.String())}
}

// credentials matches the user and the password in a URL.
var credentials = regexp.MustCompile(`://[^/@\s]+@`)

// message returns the line in the output of git that says what is wrong, without
// credentials.
func message(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	line := lines[len(lines)-1]
	if i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "fatal: ") }); i >= 0 {
		line = lines[i]
	}
	return credentials.ReplaceAllString(strings.TrimPrefix(line, "fatal: "), "://")
}

// isHash reports whether a revision is the full hash of a commit.
func isHash(revision string) bool {
	return (len(revision) == 40 || len(revision) == 64) && strings.Trim(revision, "0123456789abcdef") == ""
}

// short abbreviates a full hash, and returns other names as they are.
func short(revision string) string {
	if isHash(revision) {
		return revision[:10]
	}
	return revision
}
