package git_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/git"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/git/gittest"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

const seed = 14

func hours(n int) time.Time { return time.Date(2026, 3, 2, n, 0, 0, 0, time.UTC) }

// expectCommits checks that the clone finds the commits that the test finds in the
// whole history, with their dates.
func expectCommits(t *testing.T, clone *gittest.Repository, g gittest.Graph, from, to string, folders ...string) {
	t.Helper()
	found, err := git.Repository{Dir: clone.Dir, Environ: clone.Environ()}.Commits(t.Context(), from, to, folders)
	if err != nil {
		t.Errorf("%s..%s %v: %v", from, to, folders, err)
		return
	}
	got := []string{}
	for _, c := range found {
		got = append(got, c.SHA)
		if node := g[c.SHA]; node == nil || !node.Authored.Equal(c.At) {
			t.Errorf("%s has the date %s, which is not its author date", c.SHA, c.At)
		}
	}
	slices.Sort(got)
	if want := g.Between(from, to, folders...); !slices.Equal(got, want) {
		t.Errorf("%s..%s %v: got %d commits %v\nwant %d %v", from, to, folders, len(got), got, len(want), want)
	}
}

// Hundreds of releases of three teams, each with what is new since the one before, in
// the whole repository and in folders, and back.
func TestCommitsOfHistories(t *testing.T) {
	for _, strategy := range gittest.Strategies {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			r, releases := gittest.NewHistory(t, strategy, programtest.Rounds(200, 400), seed)
			g := r.Graph()
			for i := 1; i < len(releases); i++ {
				from, to := releases[i-1].Commit, releases[i].Commit
				expectCommits(t, r, g, from, to, [][]string{nil, {"services/shop"}, {"services/pay"}, {"services/shop", "docs"}}[i%4]...)
				if i%20 == 0 {
					expectCommits(t, r, g, to, from) // a rollback brings nothing, or what the other branch has
					expectCommits(t, r, g, releases[i-20].Commit, to, "services/shop", "docs")
				}
			}
		})
	}
}

// A clone of any depth, or one that is deepened, never gives another answer than the
// whole history.
func TestCommitsOfShallowClones(t *testing.T) {
	for _, strategy := range gittest.Strategies {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			r, releases := gittest.NewHistory(t, strategy, 120, seed)
			g := r.Graph()
			for i := 1; i < len(releases); i += programtest.Rounds(30, 1) {
				from, to := releases[i-1].Commit, releases[i].Commit
				expectCommits(t, r.Clone(to, 1), g, from, to)
				expectCommits(t, r.Clone(to, 20), g, releases[max(0, i-7)].Commit, to, "services/pay")
			}
		})
	}
}

// What a shallow clone says without being deepened is right, or unknown.
func TestCommitsWithoutFetching(t *testing.T) {
	for _, strategy := range gittest.Strategies {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			r, releases := gittest.NewHistory(t, strategy, 60, seed)
			g := r.Graph()
			known := 0
			for i := 1; i < len(releases); i += programtest.Rounds(20, 1) {
				for _, depth := range []int{1, 5, 20} {
					clone := r.Clone(releases[i].Commit, depth)
					for _, j := range []int{i - 1, i - 2, i - 8} {
						if j < 0 {
							continue
						}
						found, err := git.Repository{Dir: clone.Dir, Environ: clone.Environ(), NoFetch: true}.
							Commits(t.Context(), releases[j].Commit, releases[i].Commit, nil)
						var unknown *git.UnknownError
						if errors.As(err, &unknown) {
							continue
						}
						if err != nil {
							t.Fatal(err)
						}
						known++
						if want := g.Between(releases[j].Commit, releases[i].Commit); len(found) != len(want) {
							t.Errorf("depth %d, release %d to %d: %d commits, want %d", depth, j, i, len(found), len(want))
						}
					}
				}
			}
			if known == 0 {
				t.Error("nothing is known in any shallow clone")
			}
		})
	}
}

// A branch that was merged began before the last release, on a line of commits that
// a shallow clone does not have. Only commits that are really new count.
func TestMergeOfABranchFromBeforeTheBoundary(t *testing.T) {
	r := gittest.New(t)
	old := r.Commit(hours(0), "")
	for i := range 30 {
		r.Commit(hours(1+i), "")
	}
	last := r.Git("rev-parse", "HEAD")
	r.Git("checkout", "--quiet", "-b", "branch", old)
	r.Commit(hours(40), "")
	r.Git("checkout", "--quiet", "main")
	r.At(hours(41), "merge", "--quiet", "--no-ff", "--message=x", "branch")
	head := r.Git("rev-parse", "HEAD")
	g := r.Graph()
	if got := len(g.Between(last, head)); got != 1 {
		t.Fatalf("%d new commits, want 1", got)
	}
	for _, depth := range []int{1, 2, 5, 20, 31, 0} {
		expectCommits(t, r.Clone(head, depth), g, last, head)
	}
}

func TestUnknown(t *testing.T) {
	r := gittest.New(t)
	first := r.Commit(hours(1), "")
	second := r.Commit(hours(2), "")
	forced := strings.Repeat("ab", 20)
	offline := r.Clone(second, 1)
	offline.Git("remote", "set-url", "origin", "https://user:secret@127.0.0.1:1/no/such/repository")
	empty := t.TempDir()
	for name, test := range map[string]struct {
		repository git.Repository
		from, to   string
		want       string
	}{
		"force push":              {git.Repository{Dir: r.Dir}, forced, second, "commit ababababab is not in this clone"},
		"shallow and force push":  {git.Repository{Dir: r.Clone(second, 1).Dir}, forced, second, "commit ababababab is not in this clone"},
		"another clone":           {git.Repository{Dir: r.Dir}, first, forced, "commit ababababab is not in this clone"},
		"image tag":               {git.Repository{Dir: r.Dir}, "1.2.3", second, "commit 1.2.3 is not in this clone"},
		"option":                  {git.Repository{Dir: r.Dir}, "--output=x", second, `"--output=x" is not a revision`},
		"no fetch":                {git.Repository{Dir: r.Clone(second, 1).Dir, NoFetch: true}, first, second, "commit " + first[:10] + " is not in this clone, which is shallow"},
		"offline":                 {git.Repository{Dir: offline.Dir}, first, second, "commit " + first[:10] + " is not in this clone, which is shallow and cannot be deepened: git fetch: unable to access 'https://127.0.0.1:1/no/such/repository/': "},
		"no repository":           {git.Repository{Dir: empty}, first, second, "this folder is not in a git repository"},
		"git is not installed":    {git.Repository{Dir: r.Dir, Environ: []string{"PATH=" + empty}}, first, second, "git is not installed"},
		"HEAD of an empty branch": {git.Repository{Dir: gittest.New(t).Dir}, first, "HEAD", "commit HEAD is not in this clone"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "git is not installed" {
				t.Setenv("PATH", empty) // where exec looks for the program
			}
			commits, err := test.repository.Commits(t.Context(), test.from, test.to, nil)
			var unknown *git.UnknownError
			if !errors.As(err, &unknown) || !strings.HasPrefix(err.Error(), test.want) || len(commits) > 0 {
				t.Errorf("got %v and the error %v, want an unknown because %s", commits, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

// A remote that does not answer costs no more than the deadline, and leaves no lock.
func TestDeadline(t *testing.T) {
	r := gittest.New(t)
	first := r.Commit(hours(1), "")
	clone := r.Clone(r.Commit(hours(2), ""), 1)
	clone.Git("config", "remote.origin.uploadpack", "sleep 60; git-upload-pack")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := git.Repository{Dir: clone.Dir, Environ: clone.Environ()}.Commits(ctx, first, "HEAD", nil)
	if err == nil || !strings.Contains(err.Error(), "took too long") || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	if _, err := os.Stat(clone.Dir + "/.git/shallow.lock"); err == nil {
		t.Error("the clone is still locked")
	}
}

func TestName(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/acme/shop.git": "shop", "git@github.com:acme/shop.git": "shop", "acme/shop": "shop", "shop": "shop",
		"file:///srv/shop/": "shop", "host:shop": "shop", `C:\repositories\shop`: "shop", "": "",
	} {
		if got := git.Name(address); got != want {
			t.Errorf("the repository at %s has the name %q, want %q", address, got, want)
		}
	}
}
