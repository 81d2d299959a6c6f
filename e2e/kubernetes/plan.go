package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Plan is the part of a Terraform plan that this package needs, as printed by
// `terraform show -json` and, as test_plan, by `terraform test -json -verbose`.
type Plan struct {
	Errored         bool `json:"errored"`
	ResourceChanges []struct {
		Address string `json:"address"`
		Mode    string `json:"mode"`
		Type    string `json:"type"`
		Change  struct {
			After map[string]any `json:"after"`
		} `json:"change"`
	} `json:"resource_changes"`
	OutputChanges map[string]struct {
		After any `json:"after"`
	} `json:"output_changes"`
}

// ReadPlan reads a plan as printed by `terraform show -json`.
func ReadPlan(r io.Reader) (Plan, error) {
	var plan Plan
	if err := json.NewDecoder(r).Decode(&plan); err != nil {
		return Plan{}, fmt.Errorf("read the plan: %w; it must be the output of terraform show -json", err)
	}
	if plan.ResourceChanges == nil {
		return Plan{}, errors.New("read the plan: resource_changes is missing; it must be the output of terraform show -json for a plan")
	}
	if plan.Errored {
		return Plan{}, errors.New("read the plan: it is incomplete, because Terraform failed; fix the errors of terraform plan first")
	}
	return plan, nil
}

// Reveals returns the resources and outputs of a plan that contain a secret in a
// value or a name, alone or within other text.
func (p Plan) Reveals(secret string) (places []string) {
	for _, change := range p.ResourceChanges {
		if mentions(change.Change.After, secret) {
			places = append(places, change.Address)
		}
	}
	for name, change := range p.OutputChanges {
		if mentions(change.After, secret) {
			places = append(places, "output."+name)
		}
	}
	return places
}

// mentions reports whether a tree of JSON values contains the text.
func mentions(value any, text string) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(v, text)
	case []any:
		return slices.ContainsFunc(v, func(element any) bool { return mentions(element, text) })
	case map[string]any:
		for key, element := range v {
			if strings.Contains(key, text) || mentions(element, text) {
				return true
			}
		}
	}
	return false
}
