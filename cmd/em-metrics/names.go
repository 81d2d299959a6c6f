package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxEdits is the distance within which a name counts as misspelt: two letters
// exchanged are two edits.
const maxEdits = 2

// isForeign reports whether a variable begins like ours but is set by something
// else.
func isForeign(name string) bool {
	switch name {
	case "EM_METRICS_LOG_LEVEL", "EM_METRICS_VERSION", "EM_METRICS_ENDPOINT", "EM_METRICS_TEAM_ID":
		return true // of the older service and its client
	case "EM_METRICS_TOKEN", "EM_METRICS_TOKEN_FILE":
		return true // of the commands in CI
	}
	// Kubernetes sets these for a Service named em-metrics.
	return name == "EM_METRICS_PORT" || strings.HasPrefix(name, "EM_METRICS_PORT_") || strings.HasPrefix(name, "EM_METRICS_SERVICE_")
}

// checkNames looks for variables that have no effect. The name of a misspelt one is
// close to that of a setting.
func checkNames(variables map[string]string) (misspelt []error, unknown []string) {
	known := []string{"EM_METRICS_URL"} // of the commands that send requests
	for _, v := range settings() {
		known = append(known, v.name)
		if v.secret {
			known = append(known, v.name+"_FILE")
		}
	}
	known = slices.DeleteFunc(known, func(name string) bool { return !strings.HasPrefix(name, "EM_METRICS_") })
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if slices.Contains(known, name) || isForeign(name) {
			continue
		}
		nearest := slices.MinFunc(known, func(a, b string) int { return edits(name, a) - edits(name, b) })
		switch {
		case edits(name, nearest) <= maxEdits:
			misspelt = append(misspelt, fmt.Errorf("  %s is not a setting: did you mean %s?", name, nearest))
		case strings.HasPrefix(name, "EM_METRICS_"):
			unknown = append(unknown, name)
		}
	}
	return misspelt, unknown
}

// edits returns the Levenshtein distance: how many bytes to insert, delete or
// replace to turn a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // distances of a[:i] to every b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitution := diagonal
			if a[i] != b[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
