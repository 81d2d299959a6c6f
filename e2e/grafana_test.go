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

// dashboard holds the queries and variables of a dashboard. This file does with
// them what Grafana does before it sends an expression to Prometheus.
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
		t.Fatalf("there are no dashboards: %v", err)
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

// selection holds the selected values of variables by name. A variable that is
// missing is set to All, or to its first option.
type selection map[string][]string

// values holds the value of every variable by name.
type values map[string]value

// value is the value of a variable, as inserted into an expression and as
// displayed.
type value struct {
	expression string
	text       string
}

// variables queries the options of every variable, in order, and applies the
// selection. It returns an error if a selected value is not among the options.
func (d dashboard) variables(s *server, selected selection) (values, error) {
	known := values{}
	for _, v := range d.Templating.List {
		options, err := v.options(s, known)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		if len(options) == 0 && !v.IncludeAll {
			return nil, fmt.Errorf("variable %s has no options", v.Name)
		}
		picked := selected[v.Name]
		for _, p := range picked {
			if !slices.Contains(options, p) {
				return nil, fmt.Errorf("variable %s has the options %q, but not %q", v.Name, options, p)
			}
		}
		switch {
		case len(picked) > 0:
			known[v.Name] = v.format(picked)
		case !v.IncludeAll:
			known[v.Name] = v.format(options[:1])
		case v.AllValue != "":
			known[v.Name] = value{v.AllValue, "All"}
		default:
			known[v.Name] = value{v.format(options).expression, "All"}
		}
	}
	return known, nil
}

var (
	labelValues = regexp.MustCompile(`^label_values\((?:(.+), *)?(\w+)\)$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)$`)
)

// options queries the options of a variable. Its query may refer to variables that
// are known already.
func (v variable) options(s *server, known values) ([]string, error) {
	var text string
	if err := json.Unmarshal(v.Query, &text); err != nil {
		var query struct{ Query string }
		if err := json.Unmarshal(v.Query, &query); err != nil {
			return nil, err
		}
		text = query.Query
	}
	if v.Type == "custom" {
		var options []string
		for option := range strings.SplitSeq(text, ",") {
			if _, value, ok := strings.Cut(option, " : "); ok {
				option = value
			}
			options = append(options, option)
		}
		return options, nil
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

// results evaluates an expression and extracts an option from each result, as
// text, with the regular expression of the variable.
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

// format returns the value as the Prometheus data source inserts it.
func (v variable) format(selected []string) value {
	text := strings.Join(selected, " + ")
	if !v.Multi && !v.IncludeAll {
		return value{strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(selected[0]), text}
	}
	var escaped []string
	for _, one := range selected {
		escaped = append(escaped, special.Replace(one))
	}
	if len(escaped) == 1 {
		return value{escaped[0], text}
	}
	return value{"(" + strings.Join(escaped, "|") + ")", text}
}

var reference = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}|\$(\w+)`)

// fill replaces the variables in an expression by their values.
func (c values) fill(expression string, builtin map[string]string) (string, error) {
	var unknown error
	filled := reference.ReplaceAllStringFunc(expression, func(found string) string {
		match := reference.FindStringSubmatch(found)
		name := match[1] + match[3]
		if text, ok := builtin[name]; ok {
			return text
		}
		v, ok := c[name]
		if !ok {
			unknown = fmt.Errorf("%s: unknown variable %s", expression, name)
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

// scrapeInterval is the setting of the data source.
const scrapeInterval = 15 * time.Second

// step returns the interval that Grafana computes for a panel 600 pixels wide.
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

// run sends the expression of a query as Grafana would and returns the number of
// samples in the result.
func (s *server) run(expression string, c values, q target, when span, step time.Duration) (samples int, err error) {
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
		return 0, fmt.Errorf("%s returns a %s, want a matrix", filled, found.Type())
	}
	for _, series := range matrix {
		samples += len(series.Values)
	}
	return samples, nil
}
