package page

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// filterView is the form above the figures.
type filterView struct {
	Projects, Teams, Environments, Bands []option
	// Metrics are the figures to choose from, on a page of evidence.
	Metrics []option
	// Kept are the parameters that the form does not change.
	Kept []field
}

type option struct {
	Value, Name        string
	Selected, Disabled bool
}

// maxOptions is how many names there are to choose from. A browser would be slow
// with more, and nobody reads them.
const maxOptions = 500

func newFilterView(names db.Names, q Query, production dora.Environments) filterView {
	shown := filterView{
		Projects:     options("All projects", "project_id", names.Projects, q.Project),
		Teams:        options("All teams", "team_id", names.Teams, q.Team),
		Environments: options("All environments", "environment", names.Environments, q.Environment),
		Bands: []option{
			{Value: "2023", Name: "DORA 2023", Selected: q.Bands.Name == "2023"},
			{Value: "2021", Name: "DORA 2021", Selected: q.Bands.Name == "2021"},
			{Value: "answers", Name: "Answers of the survey", Selected: q.Bands.Name == "answers"},
		},
		Kept: q.kept("project_id", "team_id", "environment", "bands", "metric"),
	}
	for _, f := range dora.Figures() {
		if q.Metric != "" {
			shown.Metrics = append(shown.Metrics, option{Value: string(f.Name), Name: f.Title, Selected: f.Name == q.Metric})
		}
	}
	if len(production) > 0 {
		name := ""
		if len(q.Production) == 0 {
			name = q.Environment
		}
		shown.Environments = options("Production", "environment", names.Environments, name)
		shown.Environments[0].Selected = len(q.Production) > 0
		all := option{Value: AllEnvironments, Name: "All environments", Selected: q.AllEnvironments}
		shown.Environments = slices.Insert(shown.Environments, 1, all)
	}
	return shown
}

// options lists the names to choose from, and how many more there are. It includes
// the selected one even if nothing in the window has that name.
func options(all, parameter string, names []string, selected string) []option {
	shown, rest := names[:min(len(names), maxOptions)], names[min(len(names), maxOptions):]
	more := len(rest)
	if selected != "" && !slices.Contains(shown, selected) {
		shown = append(slices.Clone(shown), selected)
		if slices.Contains(rest, selected) {
			more--
		}
	}
	list := []option{{Name: all, Selected: selected == ""}}
	for _, name := range shown {
		list = append(list, option{Value: name, Name: truncate(name, 60), Selected: name == selected})
	}
	if more > 0 {
		list = append(list, option{Name: fmt.Sprintf("and %d more; set %s in the address", more, parameter), Disabled: true})
	}
	return list
}

// scope describes the filter in words.
func (q Query) scope() string {
	words := "all projects"
	if q.Project != "" {
		words = isolate(q.Project)
	}
	if q.Team != "" {
		words += ", team " + isolate(q.Team)
	}
	switch {
	case q.Environment != "":
		words += ", " + isolate(q.Environment)
	case len(q.Production) > 0:
		words += ", production (" + isolate(strings.Join(q.Production, ", ")) + ")"
	}
	return words
}

// isolate keeps a name that is written from right to left, or that contains
// characters such as U+202E, from reordering the text around it, where there is no
// markup to do so.
func isolate(name string) string {
	const (
		firstStrong, end = "\u2068", "\u2069"
		firstRightToLeft = '\u0590'
	)
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= firstRightToLeft }) {
		return name
	}
	// The end of an isolate in the name would end this one.
	name = strings.Map(func(r rune) rune {
		if r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, name)
	return firstStrong + name + end
}

// truncate shortens a text to a maximum number of characters.
func truncate(text string, maximum int) string {
	if utf8.RuneCountInString(text) <= maximum {
		return text
	}
	return string([]rune(text)[:maximum-1]) + "…"
}
