package rules

import (
	"strings"
	"time"
)

// MaxCommits is the maximum number of commits of a deployment.
const MaxCommits = 5000

// hexDigits is the number of digits with which a hexadecimal name can stand for a
// longer one. Git abbreviates to no fewer.
const hexDigits = 7

// Commit is a commit that a deployment brought. Nothing else is stored of it: no
// author and no message.
type Commit struct {
	Name string    // usually a SHA-1 in hexadecimal digits
	At   time.Time // when it was written
}

// CommitList has the commits of a deployment. A deployment that turns out to have
// brought none has an empty list.
type CommitList struct {
	Key
	Commits []Commit
}

func (l *CommitList) noun() string { return "list of commits" }
func (l *CommitList) key() Key     { return l.Key }

// CommitKey returns a text that is equal for two names of commits if they may mean
// the same commit: the digits that a hexadecimal name has at least, or else the name.
func CommitKey(name string) string {
	if !isHex(name) {
		return name
	}
	return name[:hexDigits]
}

func isHex(name string) bool {
	return len(name) >= hexDigits && strings.Trim(name, "0123456789abcdef") == ""
}

// SameCommit reports whether two names mean the same commit. A hexadecimal name of
// seven or more digits means every commit that begins with it; other names mean one
// commit only if they are equal. An empty name means none.
func SameCommit(a, b string) bool {
	return a != "" && CommitKey(a) == CommitKey(b) && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// revision has the values of a command that describe the deployed revision.
type revision struct {
	commit        string
	commits       []Commit // nil: unknown; empty: known to be none
	firstCommitAt time.Time
	rollback      NullBool
}

// newRevision returns a revision whose dates are precise. Its first commit is the
// earliest one if it is not given.
func newRevision(commit string, commits []Commit, firstCommitAt time.Time, rollback NullBool) revision {
	r := revision{commit: CommitName(commit), firstCommitAt: precise(firstCommitAt), rollback: rollback}
	if commits == nil {
		return r
	}
	r.commits = make([]Commit, len(commits))
	var earliest time.Time
	for i, c := range commits {
		r.commits[i] = Commit{Name: CommitName(c.Name), At: precise(c.At)}
		if at := r.commits[i].At; earliest.IsZero() || at.Before(earliest) {
			earliest = at
		}
	}
	r.firstCommitAt = firstKnown(r.firstCommitAt, earliest)
	return r
}

// CommitName returns the name of a commit as it is stored: hexadecimal digits are in
// lower case, as git writes them.
func CommitName(name string) string {
	if lower := strings.ToLower(name); lower != name && isHex(lower) {
		return lower
	}
	return name
}

// checkRevision checks that a revision does not contradict the recorded one. For the
// same commit, the first date and the first list of commits stay: a job that runs
// again may compute others.
func (d *Deployment) checkRevision(r revision) error {
	if r.commit != "" && d.Commit != "" {
		if !SameCommit(r.commit, d.Commit) {
			return conflict("deployment", "commit", alreadyRecorded, Quote(d.Commit))
		}
		return nil
	}
	if contradicts(r.firstCommitAt, d.FirstCommitAt) {
		return conflictingDate("deployment", date{"first_commit_at", d.FirstCommitAt})
	}
	return nil
}

// fillRevision records what was unknown of the revision. Once the deployment is
// deployed, its lead time has been measured, and only the commit is still filled in.
func (s *State) fillRevision(d *Deployment, r revision) {
	if d.Commit == "" {
		d.Commit = r.commit
	}
	if !d.DeployedAt.IsZero() {
		return
	}
	if d.FirstCommitAt.IsZero() {
		d.FirstCommitAt = r.firstCommitAt
	}
	if !d.Rollback.Valid {
		d.Rollback = r.rollback
	}
	if !d.Commits.Valid && r.commits != nil {
		s.setCommits(d, r.commits)
	}
}

func (s *State) setCommits(d *Deployment, commits []Commit) {
	d.Commits = NullInt{V: len(commits), Valid: true}
	if len(commits) > 0 {
		s.commits.put(&CommitList{d.Key, commits})
	}
}

// dropCommits records that the deployment brought no commits after all.
func (s *State) dropCommits(d *Deployment) {
	if d.Commits.V > 0 {
		s.commits.put(&CommitList{Key: d.Key})
	}
	d.Commits = NullInt{Valid: true}
}
