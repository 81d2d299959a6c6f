package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/client"
	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/exporter"
	"github.com/em-metrics/em-metrics/handlers"
)

// config holds the settings of the service. Only this file reads the environment,
// apart from the OpenTelemetry SDK with its own OTEL_ variables.
type config struct {
	Host          string        `env:"HOST" envDefault:"0.0.0.0" help:"address to listen on"`
	Port          uint16        `env:"PORT" envDefault:"3000" help:"port to listen on"`
	Database      string        `env:"SQLITE_DB" envDefault:"em-metrics.db" help:"database file, created if it does not exist"`
	Teams         string        `env:"CONFIG" help:"JSON file of teams with their projects and users"`
	Production    environments  `env:"EM_METRICS_PRODUCTION_ENVIRONMENTS" help:"environments that count as production, such as production,prod-*; added to those of CONFIG"`
	NoAuth        toggle        `env:"EM_METRICS_NO_AUTH" help:"disables authentication"`
	Token         string        `env:"EM_METRICS_TOKEN_AUTH" secret:"true" help:"token that clients must send"`
	Username      string        `env:"EM_METRICS_BASIC_AUTH_USERNAME" secret:"true" help:"user name that clients must send"`
	Password      string        `env:"EM_METRICS_BASIC_AUTH_PASSWORD" secret:"true" help:"password that clients must send"`
	PublicMetrics toggle        `env:"EM_METRICS_PUBLIC_METRICS" help:"disables authentication of /metrics and badges"`
	Environment   string        `env:"DEPLOYMENT_ENVIRONMENT" envDefault:"NO_ENV" help:"environment of requests that do not name one"`
	Rollbacks     toggle        `env:"EM_METRICS_DETECT_ROLLBACKS" envDefault:"on" help:"recognizes a rollback by its commit; if off, only if the request says so"`
	ServiceName   string        `env:"OTEL_SERVICE_NAME" envDefault:"em_metrics" help:"service.name of pushed metrics"`
	CollectorURL  string        `env:"OTEL_COLLECTOR_URL" help:"collector to push metrics to: http(s)://host:4318 or grpc(s)://host:4317; empty disables the push"`
	SeriesHold    time.Duration `env:"EM_METRICS_SERIES_HOLD" envDefault:"150s" help:"how long a new series is exposed as zero; 0 disables this"`
	LabelSetLimit int           `env:"EM_METRICS_LABEL_SET_LIMIT" envDefault:"2000" help:"maximum number of combinations of project, environment and team; others are counted together"`
	Windows       windows       `env:"EM_METRICS_WINDOWS" envDefault:"1d,7d,30d,90d" help:"windows of the exact dora_ gauges; none disables them"`
	ShutdownLimit time.Duration `env:"EM_METRICS_SHUTDOWN_TIMEOUT" envDefault:"10s" help:"time limit for a graceful shutdown"`
	LogLevel      slog.Level    `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	LogFormat     string        `env:"LOG_FORMAT" envDefault:"text" help:"text or json"`

	unknown []string // names of variables that begin with EM_METRICS_ and have no effect
}

// toggle is on for any value except the empty one, 0, false, no and off.
type toggle bool

// UnmarshalText parses the value of a variable.
func (t *toggle) UnmarshalText(text []byte) error {
	switch strings.ToLower(strings.TrimSpace(string(text))) {
	case "", "0", "false", "no", "off":
		*t = false
	default:
		*t = true
	}
	return nil
}

// windows lists the lengths of the windows that are exposed as gauges.
type windows []time.Duration

// UnmarshalText parses the value of a variable: lengths separated by commas.
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

// environments are patterns of the names of environments.
type environments dora.Environments

// UnmarshalText parses the value of a variable: patterns separated by commas.
func (e *environments) UnmarshalText(text []byte) error {
	*e = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := db.CheckName(part); err != nil {
			return err
		}
		*e = append(*e, part)
	}
	return nil
}

// loadConfig reads the settings. The error lists every problem, by the name of its
// variable.
func loadConfig(environ []string) (config, error) {
	variables := env.ToMap(environ)
	problems, unknown := checkNames(variables)
	problems = append(problems, readSecretFiles(variables)...)
	c, invalid := parseConfig(variables)
	c.unknown = unknown
	problems = append(problems, invalid...)
	problems = append(problems, c.check()...)
	problems = append(problems, c.checkResources()...)
	return c, configError(problems)
}

// loadStoreConfig reads the settings for a command that reads the database, which
// needs no credentials. The error lists every problem.
func loadStoreConfig(environ []string) (config, error) {
	c, problems := parseConfig(env.ToMap(environ))
	problems = append(problems, c.checkStore()...)
	return c, configError(problems)
}

// parseConfig parses the variables. Where a value is invalid the default remains, so
// that the checks do not report it again.
func parseConfig(variables map[string]string) (c config, problems []error) {
	if err := env.ParseWithOptions(&c, env.Options{Environment: map[string]string{}}); err != nil {
		return c, []error{fmt.Errorf("read the defaults: %w", err)}
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: variables}); err != nil {
		problems = parseProblems(err, variables)
	}
	return c, problems
}

// configError returns an error that lists the problems, nil if there are none.
func configError(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("invalid configuration:\n%w\nTry:   em-metrics help", errors.Join(problems...))
}

// readSecretFiles sets the variable of every secret to the content of the file
// that <NAME>_FILE names, if it is set.
func readSecretFiles(variables map[string]string) (problems []error) {
	for _, v := range settings() {
		if !v.secret {
			continue
		}
		if err := readSecretFile(variables, v.name); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// readSecretFile sets the variable of one secret.
func readSecretFile(variables map[string]string, name string) error {
	file := variables[name+"_FILE"]
	if file == "" {
		return nil
	}
	if variables[name] != "" {
		return fmt.Errorf("  %s and %s_FILE are both set: set only one", name, name)
	}
	content, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("  %s_FILE: %w", name, err)
	}
	if variables[name] = strings.TrimRight(string(content), "\r\n"); variables[name] == "" {
		return fmt.Errorf("  %s_FILE: %s is empty", name, file)
	}
	return nil
}

// parseProblems turns an error of the parser, which names the fields of a Go
// struct, into errors that name the variables.
func parseProblems(err error, variables map[string]string) (problems []error) {
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
				problems = append(problems, fmt.Errorf("  %s is %q: must be %s", v.name, variables[v.name], v.format))
			}
		}
	}
	return problems
}

// check returns an error for every setting that is invalid or contradicts another.
func (c config) check() (problems []error) {
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("  "+format, args...))
	}
	if !c.NoAuth && c.Token == "" && c.Username == "" && c.Password == "" {
		problem("no credential is set: set EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and " +
			"EM_METRICS_BASIC_AUTH_PASSWORD (each also as <NAME>_FILE), or EM_METRICS_NO_AUTH=true to disable authentication")
	}
	if c.CollectorURL != "" {
		if err := exporter.CheckCollectorURL(c.CollectorURL); err != nil {
			problem("OTEL_COLLECTOR_URL: %w", err)
		}
	}
	problems = append(problems, c.checkStore()...)
	if c.ShutdownLimit <= 0 {
		problem("EM_METRICS_SHUTDOWN_TIMEOUT is %s: must be more than 0, such as 10s", c.ShutdownLimit)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		problem("LOG_FORMAT is %q: must be text or json", c.LogFormat)
	}
	return problems
}

// checkStore returns an error for every setting of the metrics of the store that is
// invalid.
func (c config) checkStore() (problems []error) {
	if c.SeriesHold < 0 {
		problems = append(problems, fmt.Errorf("  EM_METRICS_SERIES_HOLD is %s: must be 0 or more, such as 150s", c.SeriesHold))
	}
	if c.LabelSetLimit < 1 {
		problems = append(problems, fmt.Errorf("  EM_METRICS_LABEL_SET_LIMIT is %d: must be 1 or more", c.LabelSetLimit))
	}
	return problems
}

// warnings describes the settings that are valid and probably a mistake.
func (c config) warnings() (warnings []string) {
	if c.NoAuth && (c.Token != "" || c.Username != "" || c.Password != "") {
		warnings = append(warnings, "EM_METRICS_NO_AUTH is on: the credentials that are set are not checked, and every request is accepted")
	}
	switch {
	case bool(c.NoAuth):
	case c.Username != "" && c.Password == "":
		warnings = append(warnings, "EM_METRICS_BASIC_AUTH_USERNAME is set without EM_METRICS_BASIC_AUTH_PASSWORD: the user name alone grants access")
	case c.Username == "" && c.Password != "":
		warnings = append(warnings, "EM_METRICS_BASIC_AUTH_PASSWORD is set without EM_METRICS_BASIC_AUTH_USERNAME: clients must send an empty user name")
	}
	for _, name := range c.unknown {
		warnings = append(warnings, name+" is not a setting and has no effect")
	}
	return warnings
}

func (c config) auth() handlers.Auth {
	return handlers.Auth{
		Disabled: bool(c.NoAuth), Token: c.Token, Username: c.Username, Password: c.Password,
		PublicMetrics: bool(c.PublicMetrics),
	}
}

// authSummary lists the enabled ways to authenticate, for the log.
func (c config) authSummary() string {
	if c.NoAuth {
		return "none"
	}
	var ways []string
	if c.Token != "" {
		ways = append(ways, "token")
	}
	if c.Username != "" || c.Password != "" {
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

const urlFlagHelp = "`address` of the service (default EM_METRICS_URL, or http://localhost:$PORT)"

// credentialsHelp explains which credentials the commands that send requests use.
const credentialsHelp = `The credentials come from EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and
EM_METRICS_BASIC_AUTH_PASSWORD, or from the file that <NAME>_FILE names.
`

// newClient returns a client with the address and the credentials in the
// environment. An address that is not empty replaces that of the environment. The
// client warns when it first repeats a request, so that the user knows at once if
// the service cannot be reached.
func (p process) newClient(address string) (*client.Client, error) {
	var warn sync.Once
	return p.newClientWith(address, func(err error) {
		warn.Do(func() {
			newProgress(p.stderr).clear()
			fmt.Fprintf(p.stderr, "Warning: %v; retrying (-url or EM_METRICS_URL sets the address)\n", err)
		})
	})
}

// newClientWith is newClient with a function of its own for failures after which a
// request is repeated.
func (p process) newClientWith(address string, onRetry func(error)) (*client.Client, error) {
	variables := env.ToMap(p.environ)
	problems := readSecretFiles(variables)
	if err := readSecretFile(variables, "EM_METRICS_TOKEN"); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("read the credentials:\n%w", errors.Join(problems...))
	}
	c, err := client.New(client.Options{
		OnRetry:  onRetry,
		URL:      cmp.Or(address, variables["EM_METRICS_URL"], "http://localhost:"+cmp.Or(variables["PORT"], "3000")),
		Token:    cmp.Or(variables["EM_METRICS_TOKEN_AUTH"], variables["EM_METRICS_TOKEN"]),
		Username: variables["EM_METRICS_BASIC_AUTH_USERNAME"],
		Password: variables["EM_METRICS_BASIC_AUTH_PASSWORD"],
	})
	if err != nil {
		return nil, fmt.Errorf("address of the service: %w", err)
	}
	return c, nil
}

// healthURL returns the address at which the service on this machine answers
// health checks. It does not check the other settings, so a health check needs
// neither credentials nor files.
func healthURL(environ []string) (string, error) {
	var c config
	if err := env.ParseWithOptions(&c, env.Options{Environment: env.ToMap(environ)}); err != nil {
		return "", fmt.Errorf("read HOST and PORT: %w", err)
	}
	host := c.Host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(int(c.Port))) + "/health", nil
}
