package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Commit is a commit that a deployment brings.
type Commit struct {
	SHA string
	At  time.Time // the author date, which survives a rebase and a cherry-pick
}

// Commits returns the commits in the history of one commit that are not in that of
// another, without merge commits. Paths limit them to those that change a file
// there; they are relative to the folder of the repository. A shallow clone is
// deepened until it has all of them. An [*UnknownError] means that they cannot be
// known, and says why.
func (r Repository) Commits(ctx context.Context, from, to string, paths []string) ([]Commit, error) {
	to, err := r.Resolve(ctx, to)
	if err != nil {
		return nil, err
	}
	if from, err = r.deepen(ctx, from, to); err != nil {
		return nil, err
	}
	// --full-history keeps the commits of a branch whose changes another one made too.
	revisions, err := r.list(ctx, append([]string{"--no-merges", "--full-history", from + ".." + to, "--"}, paths...)...)
	commits := make([]Commit, 0, len(revisions))
	for _, c := range revisions {
		commits = append(commits, Commit{c.hash, c.authored})
	}
	return commits, err
}

// revision is a line of git rev-list.
type revision struct {
	hash                string
	authored, committed time.Time
	parents             []string
}

// list returns the commits that git rev-list finds, newest first.
func (r Repository) list(ctx context.Context, args ...string) ([]revision, error) {
	output, err := r.run(ctx, append([]string{"rev-list", "--format=%H %at %ct %P"}, args...)...)
	if err != nil {
		return nil, err
	}
	var revisions []revision
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] == "commit" { // the heading of each
			continue
		}
		authored, err := unixTime(fields[1])
		if err != nil {
			return nil, err
		}
		committed, err := unixTime(fields[2])
		if err != nil {
			return nil, err
		}
		revisions = append(revisions, revision{fields[0], authored, committed, fields[3:]})
	}
	return revisions, nil
}

func unixTime(seconds string) (time.Time, error) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the dates of commits: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}
