package page

import (
	"html/template"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/em-metrics/em-metrics/db/dora"
)

// windowParameters are the parameters that select the window.
func windowParameters() []string { return []string{"from", "period", "to", "window"} }

// link returns the parameters of a page that shows the same: every link and form
// starts from them, so that none loses what was chosen.
func (q Query) link() url.Values {
	values := q.filter()
	maps.Copy(values, q.Selected)
	q.setOptions(values)
	for name, value := range map[string]string{"sort": q.Sort, "metric": string(q.Metric)} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Refresh > 0 {
		values.Set("refresh", q.Refresh.String())
	}
	if q.IsKiosk {
		values.Set("kiosk", "true")
	}
	return values
}

// evidence returns the parameters of a page of the evidence for a figure.
func (q Query) evidence(name dora.Name) template.URL {
	q.Metric, q.Sort, q.Refresh, q.IsKiosk = name, "", 0, false
	return encode(q.link())
}

// exactly returns the parameters of GET /dora for the same figures, whenever they
// are asked for.
func (q Query) exactly() url.Values {
	values := q.filter()
	values.Set("from", q.From.UTC().Format(time.RFC3339Nano))
	values.Set("to", q.To.UTC().Format(time.RFC3339Nano))
	q.setOptions(values)
	values.Set("bands", q.Bands.Name)
	return values
}

// setOptions sets the parameters that determine how figures are computed and rated,
// where they differ from the defaults.
func (q Query) setOptions(values url.Values) {
	if q.Bands.Name != dora.BandsNames()[0] {
		values.Set("bands", q.Bands.Name)
	}
	if q.RecoveryFrom == dora.FromDeployment {
		values.Set("recovery_from", "deployment")
	}
	if q.Location != time.UTC {
		values.Set("tz", q.Location.String())
	}
}

// filter returns the parameters for the project, team and environment.
func (q Query) filter() url.Values {
	values := url.Values{}
	environment := q.Environment
	switch {
	case q.AllEnvironments:
		environment = AllEnvironments
	case len(q.Production) > 0: // is the default
		environment = ""
	}
	for name, value := range map[string]string{
		"project_id": q.Project, "team_id": q.Team, "environment": environment,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// linkTo returns the parameters of the same page with some of them changed, given as
// names and values. An empty value removes a parameter.
func (q Query) linkTo(changes ...string) template.URL {
	values := q.link()
	for i := 0; i+1 < len(changes); i += 2 {
		if values.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			values.Del(changes[i])
		}
	}
	return encode(values)
}

// linkToWindow returns the parameters of the same page of another window.
func (q Query) linkToWindow(parameter, value string) template.URL {
	values := q.link()
	for _, name := range windowParameters() {
		values.Del(name)
	}
	values.Set(parameter, value)
	return encode(values)
}

// field is a hidden field of a form.
type field struct{ Name, Value string }

// kept returns the parameters that a form keeps because it has no control for them.
func (q Query) kept(controls ...string) []field {
	var fields []field
	values := q.link()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(controls, name) {
			fields = append(fields, field{name, values.Get(name)})
		}
	}
	return fields
}

// encode encodes parameters for a URL and marks them as safe, because the template
// would escape them a second time.
func encode(values url.Values) template.URL { return template.URL(values.Encode()) }
