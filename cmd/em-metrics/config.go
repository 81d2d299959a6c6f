package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/exporter"
	"github.com/em-metrics/em-metrics/handlers"
)

// config is every setting of the service. Nothing else reads the environment,
// but for the OpenTelemetry SDK with its own OTEL_ variables.
type config struct {
	Host          string        `env:"HOST" envDefault:"0.0.0.0" help:"address to listen on"`
	Port          uint16        `env:"PORT" envDefault:"3000" help:"port to listen on"`
	Database      string        `env:"SQLITE_DB" envDefault:"em-metrics.db" help:"database file, made if it is not there"`
	Teams         string        `env:"CONFIG" help:"JSON file of teams, their projects and users"`
	NoAuth        toggle        `env:"EM_METRICS_NO_AUTH" help:"let everybody in"`
	Token         string        `env:"EM_METRICS_TOKEN_AUTH" secret:"true" help:"token that clients send"`
	Username      string        `env:"EM_METRICS_BASIC_AUTH_USERNAME" secret:"true" help:"user name that clients send"`
	Password      string        `env:"EM_METRICS_BASIC_AUTH_PASSWORD" secret:"true" help:"password that clients send"`
	PublicMetrics toggle        `env:"EM_METRICS_PUBLIC_METRICS" help:"let everybody read /metrics"`
	Environment   string        `env:"DEPLOYMENT_ENVIRONMENT" envDefault:"NO_ENV" help:"environment of requests that name none"`
	ServiceName   string        `env:"OTEL_SERVICE_NAME" envDefault:"em_metrics" help:"service.name of pushed metrics"`
	CollectorURL  string        `env:"OTEL_COLLECTOR_URL" help:"where to push metrics: http(s)://host:4318 or grpc(s)://host:4317; empty: nowhere"`
	SeriesHold    time.Duration `env:"EM_METRICS_SERIES_HOLD" envDefault:"150s" help:"how long scrapers see a new series at zero; 0: not at all"`
	LabelSetLimit int           `env:"EM_METRICS_LABEL_SET_LIMIT" envDefault:"2000" help:"distinct sets of project, environment and team; further ones are counted together"`
	Windows       windows       `env:"EM_METRICS_WINDOWS" envDefault:"7d,30d,90d" help:"windows of the exact dora_ gauges; none: no such gauges"`
	ShutdownLimit time.Duration `env:"EM_METRICS_SHUTDOWN_TIMEOUT" envDefault:"10s" help:"how long stopping may take"`
	LogLevel      slog.Level    `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	LogFormat     string        `env:"LOG_FORMAT" envDefault:"text" help:"text or json"`
}

// toggle is on with any value but 0, false, no and off.
type toggle bool

// UnmarshalText reads the value of a variable.
func (t *toggle) UnmarshalText(text []byte) error {
	switch strings.ToLower(strings.TrimSpace(string(text))) {
	case "", "0", "false", "no", "off":
		*t = false
	default:
		*t = true
	}
	return nil
}

// windows are the lengths of the windows that are shown as gauges.
type windows []time.Duration

// UnmarshalText reads the value of a variable: lengths with commas between.
func (w *windows) UnmarshalText(text []byte) error {
	*w = nil
	if string(text) == "none" {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		length, err := dora.ParseWindow(part)
		if err != nil {
			return err
		}
		*w = append(*w, length)
	}
	return nil
}

// loadConfig reads the settings and reports everything that is wrong with them
// at once, by the names of the variables.
func loadConfig(environ []string) (config, error) {
	variables := env.ToMap(environ)
	problems := readSecretFiles(variables)
	var c config
	// First the defaults: they stay where a value cannot be read, so that
	// nothing is said twice of it.
	if err := env.ParseWithOptions(&c, env.Options{Environment: map[string]string{}}); err != nil {
		return c, fmt.Errorf("read the defaults: %w", err)
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: variables}); err != nil {
		problems = append(problems, explainParsing(err, variables)...)
	}
	problems = append(problems, c.check()...)
	if len(problems) > 0 {
		return c, fmt.Errorf("the configuration cannot be used:\n%w\nTry:   em-metrics help", errors.Join(problems...))
	}
	return c, nil
}

// readSecretFiles puts the content of the file that <NAME>_FILE names in the
// place of <NAME>, for every secret.
func readSecretFiles(variables map[string]string) (problems []error) {
	for _, v := range settings() {
		file := variables[v.name+"_FILE"]
		if !v.secret || file == "" {
			continue
		}
		if variables[v.name] != "" {
			problems = append(problems, fmt.Errorf("  %s and %s_FILE are both set: set one of them", v.name, v.name))
			continue
		}
		content, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			problems = append(problems, fmt.Errorf("  %s_FILE: %w", v.name, err))
			continue
		}
		if variables[v.name] = strings.TrimRight(string(content), "\r\n"); variables[v.name] == "" {
			problems = append(problems, fmt.Errorf("  %s_FILE: %s is empty", v.name, file))
		}
	}
	return problems
}

// explainParsing turns the errors of the parser, which name fields of a Go
// struct, into ones that name variables.
func explainParsing(err error, variables map[string]string) (problems []error) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	for _, one := range all.Errors {
		var parse env.ParseError
		if !errors.As(one, &parse) {
			problems = append(problems, one)
			continue
		}
		for _, v := range settings() {
			if v.field == parse.Name {
				problems = append(problems, fmt.Errorf("  %s is %q: it must be %s", v.name, variables[v.name], v.form))
			}
		}
	}
	return problems
}

func (c config) check() (problems []error) {
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("  "+format, args...))
	}
	if !c.NoAuth && c.Token == "" && c.Username == "" && c.Password == "" {
		problem("no credential is set: set EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and " +
			"EM_METRICS_BASIC_AUTH_PASSWORD (each also as <NAME>_FILE), or EM_METRICS_NO_AUTH=true to let everybody in")
	}
	if c.Username != "" && c.Password == "" {
		problem("EM_METRICS_BASIC_AUTH_USERNAME is set without EM_METRICS_BASIC_AUTH_PASSWORD: set both")
	}
	if c.Password != "" && c.Username == "" {
		problem("EM_METRICS_BASIC_AUTH_PASSWORD is set without EM_METRICS_BASIC_AUTH_USERNAME: set both")
	}
	if c.CollectorURL != "" {
		if err := exporter.CheckCollectorURL(c.CollectorURL); err != nil {
			problem("OTEL_COLLECTOR_URL: %w", err)
		}
	}
	if c.SeriesHold < 0 {
		problem("EM_METRICS_SERIES_HOLD is %s: it must be 0 or more, such as 150s", c.SeriesHold)
	}
	if c.LabelSetLimit < 1 {
		problem("EM_METRICS_LABEL_SET_LIMIT is %d: it must be 1 or more", c.LabelSetLimit)
	}
	if c.ShutdownLimit <= 0 {
		problem("EM_METRICS_SHUTDOWN_TIMEOUT is %s: it must be more than 0, such as 10s", c.ShutdownLimit)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		problem("LOG_FORMAT is %q: it must be text or json", c.LogFormat)
	}
	return problems
}

func (c config) auth() handlers.Auth {
	return handlers.Auth{
		Disabled: bool(c.NoAuth), Token: c.Token, Username: c.Username, Password: c.Password,
		PublicMetrics: bool(c.PublicMetrics),
	}
}

// authInForce says in words who may call.
func (c config) authInForce() string {
	var ways []string
	switch {
	case bool(c.NoAuth):
		return "none"
	case c.Token != "" && c.Username != "":
		ways = append(ways, "token", "basic")
	case c.Token != "":
		ways = append(ways, "token")
	default:
		ways = append(ways, "basic")
	}
	if c.PublicMetrics {
		ways = append(ways, "public metrics")
	}
	return strings.Join(ways, ", ")
}

func (c config) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// setting describes one variable.
type setting struct {
	name, field, standard, help, form string
	secret                            bool
}

func settings() []setting {
	var all []setting
	t := reflect.TypeFor[config]()
	for i := range t.NumField() {
		f := t.Field(i)
		all = append(all, setting{
			name: f.Tag.Get("env"), field: f.Name, standard: f.Tag.Get("envDefault"),
			help: f.Tag.Get("help"), form: form(f.Type), secret: f.Tag.Get("secret") != "",
		})
	}
	return all
}

// form says in words what the value of a variable must be.
func form(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "a duration with a unit, such as 150s or 5m"
	case reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case reflect.TypeFor[windows]():
		return "hours, days or weeks with commas between, such as 7d,30d,90d, or none"
	case reflect.TypeFor[uint16]():
		return "a number from 0 to 65535"
	}
	return "a whole number"
}

// environmentHelp lists every variable with its default.
func environmentHelp() string {
	var b strings.Builder
	b.WriteString("Environment:\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, v := range settings() {
		standard := ""
		if v.standard != "" {
			standard = " (default " + v.standard + ")"
		}
		fmt.Fprintf(w, "  %s\t%s%s\n", v.name, v.help, standard)
	}
	_ = w.Flush() // a strings.Builder does not fail
	secrets := map[string]bool{}
	for _, v := range settings() {
		if v.secret {
			secrets[v.name+"_FILE"] = true
		}
	}
	b.WriteString("\nA secret can come from a file instead:\n")
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		fmt.Fprintf(&b, "  %s\n", name)
	}
	b.WriteString("\nThe OTEL_ variables of the OpenTelemetry SDK work too, such as OTEL_RESOURCE_ATTRIBUTES,\n" +
		"OTEL_METRIC_EXPORT_INTERVAL and OTEL_EXPORTER_OTLP_HEADERS.\n")
	return b.String()
}
