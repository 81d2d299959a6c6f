package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// deepenings are the numbers of commits by which a shallow clone is deepened, one
// after the other until it is enough. The last means everything.
var deepenings = [...]string{"50", "200", "1000", "5000", "2147483647"}

// deepen returns the hash of the revision from, once the clone has all commits
// between it and the commit to.
func (r Repository) deepen(ctx context.Context, from, to string) (string, error) {
	// Only the history of these commits, not of every branch.
	wanted := []string{to}
	if isHash(from) {
		wanted = append(wanted, from) // it may be on another branch
	}
	for round := 0; ; round++ {
		boundary, err := r.boundary(ctx)
		if err != nil {
			return "", err
		}
		hash, problem := r.Resolve(ctx, from)
		if problem == nil {
			problem = r.gap(ctx, hash, to, boundary)
		}
		var unknownError *UnknownError
		switch {
		case problem == nil:
			return hash, nil
		case !errors.As(problem, &unknownError), len(boundary) == 0, round == len(deepenings):
			return "", problem
		case r.NoFetch:
			return "", unknown("%w, which is shallow", problem)
		}
		err = r.fetch(ctx, deepenings[round], wanted)
		if err != nil && len(wanted) > 1 { // after a forced push the remote may have only one
			wanted = wanted[:1]
			err = r.fetch(ctx, deepenings[round], wanted)
		}
		if err != nil {
			return "", unknown("%w, which is shallow and cannot be deepened: %w", problem, err)
		}
	}
}

func (r Repository) fetch(ctx context.Context, depth string, commits []string) error {
	_, err := r.run(ctx, append([]string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--deepen=" + depth, "origin"}, commits...)...)
	return err
}

// boundary returns the commits of a shallow clone whose parents are missing: none if
// it is complete.
func (r Repository) boundary(ctx context.Context) (map[string]bool, error) {
	path, err := r.run(ctx, "rev-parse", "--git-path", "shallow")
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.Dir, path)
	}
	content, err := os.ReadFile(path) //nolint:gosec // git names the file
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read where the shallow clone ends: %w", err)
	}
	boundary := map[string]bool{}
	for hash := range strings.FieldsSeq(string(content)) {
		boundary[hash] = true
	}
	return boundary, nil
}

// clockSkew is the greatest difference between the clocks of two committers.
const clockSkew = 24 * time.Hour

// gap returns an [*UnknownError] if the clone may lack commits between two, or take
// old commits for new ones, because it is shallow.
func (r Repository) gap(ctx context.Context, from, to string, boundary map[string]bool) error {
	if len(boundary) == 0 {
		return nil
	}
	between, err := r.list(ctx, from+".."+to, "--")
	if err != nil || isLine(between, from) {
		return err
	}
	problem := unknown("some commits between %s and %s are not in this clone", short(from), short(to))
	oldest := between[0].committed
	for _, c := range between {
		if boundary[c.hash] {
			return problem
		}
		if c.committed.Before(oldest) {
			oldest = c.committed
		}
	}
	// A branch that was merged may have begun at an ancestor of from that only commits
	// beyond the boundary connect with it. Such an ancestor is older than the boundary.
	return r.checkBoundary(ctx, from, boundary, oldest, problem)
}

// isLine reports whether the commits are a line that begins at the commit from, so
// that none of them can be in its history.
func isLine(between []revision, from string) bool {
	for i, c := range between {
		next := from
		if i+1 < len(between) {
			next = between[i+1].hash
		}
		if len(c.parents) != 1 || c.parents[0] != next {
			return false
		}
	}
	return true
}

// checkBoundary returns the problem unless the clone has the history of the commit
// from until before the oldest commit.
func (r Repository) checkBoundary(ctx context.Context, from string, boundary map[string]bool, oldest time.Time, problem error) error {
	args := make([]string, 1, 1+len(boundary))
	args[0] = "--no-walk"
	for hash := range boundary {
		args = append(args, hash)
	}
	ends, err := r.list(ctx, args...)
	if err != nil {
		return err
	}
	for _, end := range ends {
		if end.committed.Add(clockSkew).Before(oldest) {
			continue
		}
		inHistory, err := r.isAncestor(ctx, end.hash, from)
		if err != nil {
			return err
		}
		if inHistory {
			return problem
		}
	}
	return nil
}
