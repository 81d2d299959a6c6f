package dora

import (
	"slices"
	"strings"
)

// Environments are patterns of the names of environments. In a pattern, an
// asterisk stands for any text.
type Environments []string

// Match reports whether a name matches one of the patterns.
func (e Environments) Match(name string) bool {
	return slices.ContainsFunc(e, func(pattern string) bool { return matchPattern(pattern, name) })
}

func matchPattern(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	name, ok := strings.CutPrefix(name, parts[0])
	if !ok || len(parts) == 1 {
		return ok && name == ""
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] { // the earliest match leaves the most to the others
		if _, name, ok = strings.Cut(name, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(name, parts[last])
}
