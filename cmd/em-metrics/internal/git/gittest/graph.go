package gittest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Graph has every commit of a repository, by its hash.
type Graph map[string]*Node

// Node is a commit.
type Node struct {
	Authored time.Time
	Parents  []string
	Files    []string // that it changes; none for a merge
}

// Graph reads all commits of the repository, with git log.
func (r *Repository) Graph() Graph {
	r.t.Helper()
	g := Graph{}
	var last *Node
	for line := range strings.Lines(r.Git("log", "--all", "--reflog", "--name-only", "--format=commit|%H|%at|%P")) {
		line = strings.TrimSpace(line)
		fields := strings.Split(line, "|")
		switch {
		case fields[0] == "commit" && len(fields) == 4:
			seconds, err := strconv.ParseInt(fields[2], 10, 64)
			if err != nil {
				r.t.Fatal(err)
			}
			last = &Node{Authored: time.Unix(seconds, 0).UTC(), Parents: strings.Fields(fields[3])}
			g[fields[1]] = last
		case line != "":
			last.Files = append(last.Files, line)
		}
	}
	return g
}

// history returns the commit and all its ancestors.
func (g Graph) history(commit string) map[string]bool {
	seen, todo := map[string]bool{}, []string{commit}
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[next] {
			seen[next] = true
			todo = append(todo, g[next].Parents...)
		}
	}
	return seen
}

// Between returns the hashes of the commits that are new since another commit, in
// alphabetical order: without merges and, if there are folders, only those that
// change a file in one of them.
func (g Graph) Between(from, to string, folders ...string) []string {
	old := g.history(from)
	hashes := []string{}
	for hash := range g.history(to) {
		if node := g[hash]; !old[hash] && len(node.Parents) < 2 && (len(folders) == 0 || node.changes(folders)) {
			hashes = append(hashes, hash)
		}
	}
	slices.Sort(hashes)
	return hashes
}

func (n *Node) changes(folders []string) bool {
	return slices.ContainsFunc(n.Files, func(file string) bool {
		return slices.ContainsFunc(folders, func(folder string) bool { return strings.HasPrefix(file, folder+"/") })
	})
}

// First returns the earliest author date of the commits.
func (g Graph) First(hashes []string) (first time.Time) {
	for _, hash := range hashes {
		if at := g[hash].Authored; first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
