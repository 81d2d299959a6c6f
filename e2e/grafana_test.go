package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// The dashboards, as far as queries are concerned, and what Grafana does to an
// expression before it sends it to Prometheus.

type dashboard struct {
	UID    string
	Title  string
	Time   struct{ From string }
	Panels []panel

	Templating  struct{ List []variable }
	Annotations struct{ List []annotation }
}

type panel struct {
	Title         string
	Type          string
	Interval      string
	MaxDataPoints int
	Targets       []target
}

type target struct {
	RefID    string
	Expr     string
	Instant  bool
	Range    bool
	Interval string
}

type annotation struct {
	Name   string
	Expr   string
	Target *target
}

type variable struct {
	Name       string
	Type       string
	Query      json.RawMessage
	Regex      string
	Multi      bool
	IncludeAll bool
	AllValue   string
}

// readDashboards reads every dashboard of the repository, by uid.
func readDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[d.UID] = d
	}
	return all
}

// panel finds a panel by its title.
func (d dashboard) panel(t *testing.T, title string) panel {
	t.Helper()
	for _, p := range d.Panels {
		if p.Title == title && len(p.Targets) > 0 {
			return p
		}
	}
	t.Fatalf("%s has no panel %q", d.Title, title)
	return panel{}
}

// selection is what a person has chosen: the values of variables by name. A
// variable that is not in it is at All, or at its first option.
type selection map[string][]string

// chosen are the variables as Grafana keeps them once their options are known.
type chosen map[string]value

// value is the value of a variable: as it goes into an expression, and as it is
// shown.
type value struct {
	expression string
	text       string
}

// variables finds the options of every variable, in their order, and makes the
// selection. A selected value that is not among the options is an error.
func (d dashboard) variables(s *server, selected selection) (chosen, error) {
	values := chosen{}
	for _, v := range d.Templating.List {
		options, err := v.options(s, values)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		if len(options) == 0 {
			return nil, fmt.Errorf("variable %s has no options", v.Name)
		}
		picked := selected[v.Name]
		for _, p := range picked {
			if !slices.Contains(options, p) {
				return nil, fmt.Errorf("variable %s has the options %q, and %q is not one", v.Name, options, p)
			}
		}
		switch {
		case len(picked) > 0:
			values[v.Name] = v.of(picked)
		case !v.IncludeAll:
			values[v.Name] = v.of(options[:1])
		case v.AllValue != "":
			values[v.Name] = value{v.AllValue, "All"}
		default:
			values[v.Name] = value{v.of(options).expression, "All"}
		}
	}
	return values, nil
}

var (
	labelValues = regexp.MustCompile(`^label_values\((?:(.+), *)?(\w+)\)$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)$`)
)

func (v variable) options(s *server, known chosen) ([]string, error) {
	var text string
	if err := json.Unmarshal(v.Query, &text); err != nil {
		var query struct{ Query string }
		if err := json.Unmarshal(v.Query, &query); err != nil {
			return nil, err
		}
		text = query.Query
	}
	if v.Type == "custom" {
		return strings.Split(text, ","), nil
	}
	query, err := known.fill(text, nil)
	if err != nil {
		return nil, err
	}
	if match := queryResult.FindStringSubmatch(query); match != nil {
		return v.results(s, match[1])
	}
	match := labelValues.FindStringSubmatch(query)
	if match == nil {
		return nil, fmt.Errorf("%q is neither label_values nor query_result", query)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	found, _, _, err := s.api.LabelValues(ctx, match[2], []string{match[1]}, time.Now().Add(-time.Hour), time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	var options []string
	for _, f := range found {
		options = append(options, string(f))
	}
	return options, nil
}

// results are the results of an expression as text, and of that what the
// variable's regular expression takes out.
func (v variable) results(s *server, expression string) ([]string, error) {
	vector, err := s.query(expression)
	if err != nil {
		return nil, err
	}
	pattern, err := regexp.Compile(strings.Trim(v.Regex, "/"))
	if err != nil {
		return nil, err
	}
	var options []string
	for _, sample := range vector {
		if match := pattern.FindStringSubmatch(sample.Metric.String()); match != nil {
			options = append(options, match[1])
		}
	}
	return options, nil
}

var special = strings.NewReplacer(`\`, `\\\\`, `.`, `\\.`, `*`, `\\*`, `+`, `\\+`, `?`, `\\?`, `(`, `\\(`, `)`, `\\)`,
	`[`, `\\[`, `]`, `\\]`, `{`, `\\{`, `}`, `\\}`, `|`, `\\|`, `^`, `\\^`, `$`, `\\$`, `"`, `\"`)

// of is how the data source for Prometheus writes values into an expression.
func (v variable) of(values []string) value {
	text := strings.Join(values, " + ")
	if !v.Multi && !v.IncludeAll {
		return value{strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(values[0]), text}
	}
	var escaped []string
	for _, one := range values {
		escaped = append(escaped, special.Replace(one))
	}
	if len(escaped) == 1 {
		return value{escaped[0], text}
	}
	return value{"(" + strings.Join(escaped, "|") + ")", text}
}

var reference = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}|\$(\w+)`)

// fill puts the values of variables into an expression.
func (c chosen) fill(expression string, builtin map[string]string) (string, error) {
	var unknown error
	filled := reference.ReplaceAllStringFunc(expression, func(found string) string {
		match := reference.FindStringSubmatch(found)
		name := match[1] + match[3]
		if text, ok := builtin[name]; ok {
			return text
		}
		v, ok := c[name]
		if !ok {
			unknown = fmt.Errorf("%s: there is no variable %s", expression, name)
		}
		if match[2] == "text" {
			return v.text
		}
		return v.expression
	})
	return filled, unknown
}

// span is the time range of a dashboard.
type span struct{ from, to time.Time }

func lastSpan(length time.Duration) span { return span{time.Now().Add(-length), time.Now()} }

// scrapeInterval is what the data source is told.
const scrapeInterval = 15 * time.Second

// step is the interval that Grafana finds for a panel that is 600 pixels wide.
func (s span) step(maxDataPoints int, atLeast ...string) time.Duration {
	if maxDataPoints == 0 {
		maxDataPoints = 600
	}
	step := max(s.to.Sub(s.from)/time.Duration(maxDataPoints), scrapeInterval).Round(time.Second)
	for _, text := range atLeast {
		if text == "" {
			continue
		}
		if least, err := model.ParseDuration(text); err == nil {
			step = max(step, time.Duration(least))
		}
	}
	return step
}

// run sends the expression of a query as Grafana would and returns how many
// samples came back.
func (s *server) run(expression string, c chosen, q target, when span, step time.Duration) (samples int, err error) {
	filled, err := c.fill(expression, map[string]string{
		"__interval": model.Duration(step).String(), "__range": model.Duration(when.to.Sub(when.from).Round(time.Second)).String(),
		"__rate_interval": model.Duration(max(step+scrapeInterval, 4*scrapeInterval)).String(),
	})
	if err != nil {
		return 0, err
	}
	if q.Instant {
		vector, err := s.query(filled)
		return len(vector), err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	found, _, _, err := s.api.QueryRange(ctx, filled, prometheus.Range{
		Start: when.from.Truncate(step), End: when.to.Truncate(step), Step: step,
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filled, err)
	}
	matrix, ok := found.(model.Matrix)
	if !ok {
		return 0, fmt.Errorf("%s is a %s", filled, found.Type())
	}
	for _, series := range matrix {
		samples += len(series.Values)
	}
	return samples, nil
}
