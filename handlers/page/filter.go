package page

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
)

// filterView is the form above the figures.
type filterView struct {
	Projects, Teams, Environments, Windows, Bands []option
}

type option struct {
	Value, Name        string
	Selected, Disabled bool
}

// maxOptions is how many names there are to choose from. A browser would be slow
// with more, and nobody reads them.
const maxOptions = 500

func newFilterView(names db.Names, q Query) filterView {
	return filterView{
		Projects:     options("All projects", "project_id", names.Projects, q.Project),
		Teams:        options("All teams", "team_id", names.Teams, q.Team),
		Environments: options("All environments", "environment", names.Environments, q.Environment),
		Windows:      windowOptions(q.Length()),
		Bands: []option{
			{Value: "2023", Name: "DORA 2023", Selected: q.Bands.Year == 2023},
			{Value: "2021", Name: "DORA 2021", Selected: q.Bands.Year == 2021},
		},
	}
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

// windowOptions lists the common windows, and the selected one if it is not among
// them.
func windowOptions(selected time.Duration) []option {
	const day = 24 * time.Hour
	var list []option
	common := false
	for _, days := range []int{7, 30, 90, 365} {
		is := time.Duration(days)*day == selected
		common = common || is
		list = append(list, option{Value: fmt.Sprintf("%dd", days), Name: fmt.Sprintf("%d days", days), Selected: is})
	}
	if common {
		return list
	}
	unit := " hours"
	if selected%day == 0 {
		unit = " days"
	}
	value := dora.FormatWindow(selected)
	return append(list, option{Value: value, Name: strings.Trim(value, "dh") + unit, Selected: true})
}

// parameters returns the parameters of GET /dora for the same figures.
func (q Query) parameters() url.Values {
	values := q.filter()
	values.Set("from", q.From.UTC().Format(time.RFC3339Nano))
	values.Set("to", q.To.UTC().Format(time.RFC3339Nano))
	values.Set("bands", fmt.Sprint(q.Bands.Year))
	if q.RecoveryFrom == dora.FromDeployment {
		values.Set("recovery_from", "deployment")
	}
	if q.Location != time.UTC {
		values.Set("tz", q.Location.String())
	}
	return values
}

// filter returns the parameters for the project, team and environment.
func (q Query) filter() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"project_id": q.Project, "team_id": q.Team, "environment": q.Environment,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
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
	if q.Environment != "" {
		words += ", " + isolate(q.Environment)
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

// encode encodes parameters for a URL and marks them as safe, because the template
// would escape them a second time.
func encode(values url.Values) template.URL { return template.URL(values.Encode()) }

// truncate shortens a text to a maximum number of characters.
func truncate(text string, maximum int) string {
	if utf8.RuneCountInString(text) <= maximum {
		return text
	}
	return string([]rune(text)[:maximum-1]) + "…"
}
