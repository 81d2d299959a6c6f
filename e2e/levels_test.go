package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The colors of the dashboards follow the same bounds as the levels of the rules.
func TestColorsMatchTheLevelsOfTheRules(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../grafana/dashboards/dora-overview.json")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../prometheus/rules/levels.yml")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title       string
			FieldConfig struct {
				Overrides []struct {
					Matcher    struct{ Options string }
					Properties []struct {
						ID    string
						Value json.RawMessage
					}
				}
			}
		}
	}
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, p := range d.Panels {
		key, ok := map[string]string{
			"Deployments per day": "deployment_frequency", "Change lead time": "lead_time", "Change fail rate": "change_failure_ratio",
			"Failed deployment recovery time": "failed_deployment_recovery", "Time to restore": "time_to_restore",
		}[p.Title]
		if !ok {
			continue
		}
		for _, o := range p.FieldConfig.Overrides {
			for _, property := range o.Properties {
				isChange := o.Matcher.Options == "up" || o.Matcher.Options == "down"
				if property.ID != "thresholds" || isChange {
					continue
				}
				if err := compareBands(string(rules), key, o.Matcher.Options, property.Value); err != nil {
					t.Errorf("%s of %s: %v", p.Title, o.Matcher.Options, err)
				}
				checked++
			}
		}
	}
	if checked != 8 {
		t.Errorf("%d sets of thresholds were compared, want 8", checked)
	}
}

var bound = regexp.MustCompile(`[<>]=? bool ([0-9./* ]+)\)`)

// compareBands returns an error unless the thresholds are the bounds of the rule.
func compareBands(rules, key, year string, thresholds json.RawMessage) error {
	_, group, _ := strings.Cut(rules, "dora_level_"+year)
	_, rule, ok := strings.Cut(group, "key: "+key+"\n")
	if !ok {
		return errors.New("there is no such rule")
	}
	rule, _, _ = strings.Cut(rule, "- record")
	var colors struct{ Steps []struct{ Value *float64 } }
	if err := json.Unmarshal(thresholds, &colors); err != nil {
		return err
	}
	var want []float64
	for _, match := range bound.FindAllStringSubmatch(rule, -1) {
		want = append(want, evaluate(match[1]))
	}
	distinct := map[float64]bool{}
	for _, w := range want {
		distinct[w] = true
	}
	var got []float64
	for _, step := range colors.Steps {
		if step.Value != nil && *step.Value > 0.001 { // no deployments have neither a level nor a color
			got = append(got, *step.Value)
		}
	}
	if len(got) != len(distinct) {
		return fmt.Errorf("the thresholds are %v, but the bounds of the rule are %v", got, want)
	}
	for w := range distinct {
		near := slices.ContainsFunc(got, func(g float64) bool { return math.Abs(g/w-1) < 0.003 })
		if !near {
			return fmt.Errorf("there is no threshold at %v", w)
		}
	}
	return nil
}

// evaluate returns the value of an expression such as "365 / 12 * 86400".
func evaluate(text string) float64 {
	value, operator := math.NaN(), ""
	for _, word := range strings.Fields(text) {
		var number float64
		if _, err := fmt.Sscan(word, &number); err != nil {
			operator = word
			continue
		}
		switch operator {
		case "*":
			value *= number
		case "/":
			value /= number
		default:
			value = number
		}
	}
	return value
}
