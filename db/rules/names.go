package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name, in bytes of UTF-8.
const MaxName = 256

// CheckName checks an id or another name: 1 to [MaxName] bytes of valid UTF-8
// without control characters, not only spaces. Its error continues a sentence
// that begins with the field.
func CheckName(value string) error {
	if isPlain(value) {
		return nil
	}
	switch {
	case strings.TrimSpace(value) == "":
		return errors.New("must not be empty")
	case len(value) > MaxName:
		return fmt.Errorf("is %d bytes long; at most %d are allowed", len(value), MaxName)
	case !utf8.ValidString(value):
		return errors.New("is not valid UTF-8")
	case strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("must not contain control characters")
	}
	return nil
}

// isPlain reports whether a name has nothing to check: printable ASCII without spaces,
// as the names of commits are, of which there may be thousands.
func isPlain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return value != "" && len(value) <= MaxName
}

// name is a name in a command with its field.
type name struct {
	field, value string
}

// given returns the names that are not absent, which is empty.
func given(names ...name) []name {
	return slices.DeleteFunc(names, func(n name) bool { return n.value == "" })
}

// checkNames refuses names that are not well formed.
func checkNames(names []name) error {
	var wrong []FieldError
	for _, n := range names {
		if err := CheckName(n.value); err != nil {
			wrong = append(wrong, FieldError{n.field, err.Error()})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Error{Code: Malformed, Message: "a name is not well formed", Fields: wrong}
}

func (k Key) names() []name {
	return given(name{"id", k.ID}, name{"project_id", k.Project}, name{"environment", k.Environment})
}

func (c StartDeployment) names() []name {
	return append(c.Key.names(), commitNames(c.Commit, c.Commits)...)
}

func (c FinishDeployment) names() []name {
	names := append(c.Ref.names(), commitNames(c.Commit, c.Commits)...)
	if c.Create != nil {
		names = append(names, c.Create.names()...)
	}
	return names
}

func (c AbortDeployment) names() []name {
	names := c.Ref.names()
	if c.Create != nil {
		names = append(names, c.Create.names()...)
	}
	return names
}

func (c OpenIncident) names() []name {
	return append(c.Key.names(), given(name{"deployment_id", c.DeploymentID}, name{"idempotency_key", c.IdempotencyKey})...)
}

func commitNames(commit string, commits []Commit) []name {
	names := given(name{"commit", commit})
	for i, c := range commits {
		if CheckName(c.Name) != nil {
			names = append(names, name{fmt.Sprintf("commits[%d].sha", i), c.Name})
		}
	}
	return names
}

func (c RestoreIncident) names() []name { return c.Ref.names() }

func (c FinishIncident) names() []name { return c.Ref.names() }

func (r Ref) names() []name {
	return given(name{"id", r.ID}, name{"project_id", r.Project}, name{"environment", r.Environment})
}
