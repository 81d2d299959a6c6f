package rules

import (
	"errors"
	"fmt"
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

// name is a name in a command with its field. An empty one is absent.
type name struct {
	field, value string
}

// checkNames refuses names that are given and not well formed.
func checkNames(names []name) error {
	var wrong []FieldError
	for _, n := range names {
		if n.value == "" {
			continue
		}
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
	return []name{{"id", k.ID}, {"project_id", k.Project}, {"environment", k.Environment}}
}

func (c StartDeployment) names() []name { return c.Key.names() }

func (c FinishDeployment) names() []name {
	names := c.Ref.names()
	if c.Create != nil {
		names = append(names, c.Create.Key.names()...)
	}
	return names
}

func (c OpenIncident) names() []name {
	return append(c.Key.names(), name{"deployment_id", c.DeploymentID}, name{"idempotency_key", c.IdempotencyKey})
}

func (c RestoreIncident) names() []name { return c.Ref.names() }

func (c FinishIncident) names() []name { return c.Ref.names() }

func (r Ref) names() []name {
	return []name{{"id", r.ID}, {"project_id", r.Project}, {"environment", r.Environment}}
}
