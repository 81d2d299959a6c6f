package gittest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Strategy is a team's way of bringing changes to production.
type Strategy string

// The strategies of the histories.
const (
	// Merge merges branches of several commits, some of which are long-lived.
	Merge Strategy = "merge"
	// Rebase puts rebased and squashed commits on one line: their author dates are out
	// of order.
	Rebase Strategy = "rebase"
	// ReleaseBranch deploys from branches, to which fixes are cherry-picked from main.
	ReleaseBranch Strategy = "release branches"
)

// Strategies are all strategies.
var Strategies = [...]Strategy{Merge, Rebase, ReleaseBranch}

// Release is a commit that was deployed.
type Release struct {
	Commit string
	At     time.Time // when it was committed
}

// history writes commits for git fast-import.
type history struct {
	stream   strings.Builder
	random   *rand.Rand
	now      time.Time
	marks    int
	releases []int // marks
	times    []time.Time
}

// NewHistory returns a repository with that many releases, which the strategy and
// the seed determine.
func NewHistory(t testing.TB, strategy Strategy, releases int, seed uint64) (*Repository, []Release) {
	t.Helper()
	h := &history{random: rand.New(rand.NewPCG(seed, uint64(len(strategy)))), now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	main := h.commit(h.now)
	for len(h.releases) < releases {
		switch strategy {
		case Merge:
			main = h.merges(main)
		case Rebase:
			main = h.rebases(main)
		case ReleaseBranch:
			main = h.branches(main)
		}
	}
	return h.importInto(t, main)
}

// merges merges one to three branches, then releases.
func (h *history) merges(main int) int {
	bases := []int{main}
	for range 1 + h.random.IntN(3) {
		base := bases[h.random.IntN(len(bases))]
		if h.random.IntN(6) == 0 && len(h.releases) > 3 { // a branch of long ago
			base = h.releases[len(h.releases)-1-h.random.IntN(3)]
		}
		tip := base
		for range 1 + h.random.IntN(4) {
			h.pass()
			tip = h.commit(h.before(48), tip)
		}
		h.pass()
		main = h.commit(h.now, main, tip)
		bases = append(bases, main)
	}
	h.release(main)
	return main
}

// rebases adds commits that were written up to two weeks before, then releases.
func (h *history) rebases(main int) int {
	for range 1 + h.random.IntN(6) {
		h.pass()
		main = h.commit(h.before(14*24), main)
	}
	h.release(main)
	return main
}

// branches releases from a branch of main up to four times, with cherry-picks of
// what comes to main meanwhile.
func (h *history) branches(main int) int {
	branch := main
	for range 1 + h.random.IntN(4) {
		for range 1 + h.random.IntN(3) {
			h.pass()
			authored := h.before(24)
			main = h.commit(authored, main)
			if h.random.IntN(2) == 0 {
				h.pass()
				branch = h.commit(authored, branch)
			}
		}
		h.pass()
		branch = h.commit(h.now, branch) // the number of the release
		h.release(branch)
	}
	return main
}

// pass lets up to three hours pass.
func (h *history) pass() { h.now = h.now.Add(time.Duration(1+h.random.IntN(180)) * time.Minute) }

// before returns a time up to that many hours ago.
func (h *history) before(hours int) time.Time {
	return h.now.Add(-time.Duration(h.random.IntN(hours*60)) * time.Minute)
}

func (h *history) release(mark int) {
	h.releases, h.times = append(h.releases, mark), append(h.times, h.now)
}

// commit adds a commit that changes a file of its own in one of three folders, and
// returns its mark.
func (h *history) commit(authored time.Time, parents ...int) int {
	h.marks++
	fmt.Fprintf(&h.stream, "commit refs/heads/main\nmark :%d\nauthor a <a@example.com> %d +0000\ncommitter a <a@example.com> %d +0000\ndata 1\nx\n",
		h.marks, authored.Unix(), h.now.Unix())
	for i, parent := range parents {
		fmt.Fprintf(&h.stream, "%s :%d\n", []string{"from", "merge"}[i], parent)
	}
	if len(parents) < 2 {
		folder := []string{"services/shop", "services/pay", "docs"}[h.random.IntN(3)]
		fmt.Fprintf(&h.stream, "M 100644 inline %s/%d\ndata 1\nx\n", folder, h.marks)
	} else { // git does not merge here: this takes what the branch changes
		fmt.Fprintf(&h.stream, "M 100644 inline merges/%d\ndata 1\nx\n", h.marks)
	}
	return h.marks
}

// importInto creates the repository. Every release has a tag.
func (h *history) importInto(t testing.TB, main int) (*Repository, []Release) {
	t.Helper()
	r := New(t)
	fmt.Fprintf(&h.stream, "reset refs/heads/main\nfrom :%d\n\n", main)
	for i, mark := range h.releases {
		fmt.Fprintf(&h.stream, "reset refs/tags/v%d\nfrom :%d\n\n", i+1, mark)
	}
	marks := filepath.Join(r.Dir, ".git", "marks")
	r.run(nil, h.stream.String(), "fast-import", "--quiet", "--force", "--export-marks="+marks)
	content, err := os.ReadFile(marks) //nolint:gosec // git has written it
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]string{}
	for line := range strings.Lines(string(content)) {
		mark, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		hashes[mark] = hash
	}
	releases := make([]Release, len(h.releases))
	for i, mark := range h.releases {
		releases[i] = Release{hashes[fmt.Sprintf(":%d", mark)], h.times[i]}
	}
	return r, releases
}
