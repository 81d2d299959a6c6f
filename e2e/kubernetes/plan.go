package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Plan is what this package reads of a plan, as `terraform test -json -verbose`
// prints it (test_plan) and `terraform show -json` does.
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

// ReadPlan reads what `terraform show -json` prints of a plan.
func ReadPlan(r io.Reader) (Plan, error) {
	var plan Plan
	if err := json.NewDecoder(r).Decode(&plan); err != nil {
		return Plan{}, fmt.Errorf("read the plan: %w; it must be what terraform show -json prints", err)
	}
	if plan.ResourceChanges == nil {
		return Plan{}, errors.New("read the plan: it has no resource_changes, as what terraform show -json prints of a plan has")
	}
	if plan.Errored {
		return Plan{}, errors.New("read the plan: Terraform could not finish it, so it does not have every resource; repair what terraform plan complains of")
	}
	return plan, nil
}

// Reveals names the resources and outputs of a plan in which a secret is written,
// be it in a value or a name, alone or within other text.
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
