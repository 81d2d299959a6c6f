package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every mistake in the environment, with the error for it.
func TestConfigurationMistakes(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ env, want string }{
		"EM_METRICS_NO_AUTH is no": {"EM_METRICS_NO_AUTH=no", "no credential is set: set EM_METRICS_TOKEN_AUTH, " +
			"or EM_METRICS_BASIC_AUTH_USERNAME and EM_METRICS_BASIC_AUTH_PASSWORD (each also as <NAME>_FILE), " +
			"or EM_METRICS_NO_AUTH=true to disable authentication"},
		"missing secret file": {"EM_METRICS_TOKEN_AUTH_FILE=/no/such/file",
			"EM_METRICS_TOKEN_AUTH_FILE: open /no/such/file: no such file or directory"},
		"empty secret file": {"EM_METRICS_TOKEN_AUTH_FILE=" + empty, "EM_METRICS_TOKEN_AUTH_FILE: " + empty + " is empty"},
		"port by name":      {"PORT=http", `PORT is "http": must be a number from 0 to 65535`},
		"port out of range": {"PORT=65536", `PORT is "65536": must be a number from 0 to 65535`},
		"hold without a unit": {"EM_METRICS_SERIES_HOLD=150",
			`EM_METRICS_SERIES_HOLD is "150": must be a duration with a unit, such as 150s or 5m`},
		"negative hold":           {"EM_METRICS_SERIES_HOLD=-1s", "EM_METRICS_SERIES_HOLD is -1s: must be 0 or more, such as 150s"},
		"label set limit of zero": {"EM_METRICS_LABEL_SET_LIMIT=0", "EM_METRICS_LABEL_SET_LIMIT is 0: must be 1 or more"},
		"label set limit that is not a number": {"EM_METRICS_LABEL_SET_LIMIT=many",
			`EM_METRICS_LABEL_SET_LIMIT is "many": must be a whole number`},
		"unknown window": {"EM_METRICS_WINDOWS=7d,month",
			`EM_METRICS_WINDOWS is "7d,month": must be hours, days or weeks separated by commas, such as 7d,30d,90d, or none`},
		"production with a control character": {"EM_METRICS_PRODUCTION_ENVIRONMENTS=live\t1",
			`EM_METRICS_PRODUCTION_ENVIRONMENTS is "live\t1": must be names of environments separated by commas, in which * stands for any text`},
		"no time for shutdown": {"EM_METRICS_SHUTDOWN_TIMEOUT=0s", "EM_METRICS_SHUTDOWN_TIMEOUT is 0s: must be more than 0, such as 10s"},
		"shutdown time without a unit": {"EM_METRICS_SHUTDOWN_TIMEOUT=10",
			`EM_METRICS_SHUTDOWN_TIMEOUT is "10": must be a duration with a unit, such as 150s or 5m`},
		"log level":  {"LOG_LEVEL=loud", `LOG_LEVEL is "loud": must be debug, info, warn or error`},
		"log format": {"LOG_FORMAT=xml", `LOG_FORMAT is "xml": must be text or json`},
		"collector without a scheme": {"OTEL_COLLECTOR_URL=collector:4318",
			`OTEL_COLLECTOR_URL: "collector:4318" is not a URL with a scheme and a host, such as http://localhost:4318`},
		"collector without a host": {"OTEL_COLLECTOR_URL=http://",
			`OTEL_COLLECTOR_URL: "http://" is not a URL with a scheme and a host, such as http://localhost:4318`},
		"collector with another scheme": {"OTEL_COLLECTOR_URL=ftp://ci:hidden@collector",
			`OTEL_COLLECTOR_URL: "…@collector" has the scheme "ftp": it must be http, https, grpc or grpcs`},
		"collector that is not a URL": {"OTEL_COLLECTOR_URL=http://ci:hidden%zz@collector",
			`OTEL_COLLECTOR_URL: "…@collector" is not a URL with a scheme and a host, such as http://localhost:4318`},
		"path for gRPC": {"OTEL_COLLECTOR_URL=grpc://collector:4317/v1",
			`OTEL_COLLECTOR_URL: "grpc://collector:4317/v1" has a path, which gRPC does not use: leave it out`},
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"EM_METRICS_NO_AUTH=true", "SQLITE_DB=" + filepath.Join(t.TempDir(), "x.db"), test.env}
			_, stderr, code := runIn(t, env)
			want := "Error: invalid configuration:\n  " + test.want + "\nTry:   em-metrics help\n"
			if code != 1 || stderr != want {
				t.Errorf("exit code %d and %q, want 1 and %q", code, stderr, want)
			}
		})
	}
}

// The settings may name something that this machine does not have. One start
// reports all of it, beside the other mistakes.
func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	_, stderr, code := runIn(t, []string{"HOST=192.0.2.1", "PORT=http", "SQLITE_DB=/no/such/folder/x.db", "CONFIG=/no/such/teams.json",
		"EM_METRICS_TOKEN_AUHT=hidden"})
	want := `Error: invalid configuration:
  EM_METRICS_TOKEN_AUHT is not a setting: did you mean EM_METRICS_TOKEN_AUTH?
  PORT is "http": must be a number from 0 to 65535
  no credential is set: set EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and EM_METRICS_BASIC_AUTH_PASSWORD (each also as <NAME>_FILE), or EM_METRICS_NO_AUTH=true to disable authentication
  HOST is "192.0.2.1": must be an address of this machine, such as 0.0.0.0 or 127.0.0.1: listen tcp 192.0.2.1:0: bind: cannot assign requested address
  SQLITE_DB: the folder /no/such/folder does not exist: create it, or mount its volume
  CONFIG: read teams: open /no/such/teams.json: no such file or directory
Try:   em-metrics help
`
	if code != 1 || stderr != want {
		t.Errorf("exit code %d and\n%s\nwant 1 and\n%s", code, stderr, want)
	}
}

func TestNamesOfVariables(t *testing.T) {
	const misspelt, warned, ignored = "misspelt", "warned", "ignored"
	for name, want := range map[string]string{
		"EM_METRICS_TOKEN_AUHT":                misspelt,
		"EM_METRICS_TOKEN_AUTH_FIEL":           misspelt,
		"EM_METRIC_NO_AUTH":                    misspelt,
		"EM_METRICS_NOAUTH":                    misspelt,
		"EM_METRICS_WINDOW":                    misspelt,
		"EM_METRICS_BASIC_AUTH_PASSWORDS_FILE": misspelt,
		"EM_METRICS_RETENTION":                 warned,
		"EM_METRICS_TOKENS":                    warned,
		"EM_METRICS_URL":                       ignored,
		"EM_METRICS_SERVICE_HOST":              ignored,
		"EM_METRICS_SERVICE_PORT_HTTP":         ignored,
		"EM_METRICS_PORT":                      ignored,
		"EM_METRICS_PORT_3000_TCP_ADDR":        ignored,
		"EM_METRICS_LOG_LEVEL":                 ignored,
		"EM_METRICS_VERSION":                   ignored,
		"EM_METRICS_ENDPOINT":                  ignored,
		"EM_METRICS_TEAM_ID":                   ignored,
		"EM_METRICS_TOKEN":                     ignored,
		"METRICS":                              ignored,
	} {
		c, err := loadConfig([]string{"EM_METRICS_NO_AUTH=true", name + "=x"})
		got := ignored
		switch {
		case err != nil && strings.Contains(err.Error(), "  "+name+" is not a setting: did you mean EM_METRICS_"):
			got = misspelt
		case err == nil && slices.Equal(c.warnings(), []string{name + " is not a setting and has no effect"}):
			got = warned
		case err != nil || len(c.warnings()) > 0:
			t.Errorf("%s: unexpected error %v or warnings %q", name, err, c.warnings())
		}
		if got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := loadConfig([]string{"EM_METRICS_NO_AUTH=yes"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "0.0.0.0" || c.Port != 3000 || c.Database != "em-metrics.db" || c.Environment != "NO_ENV" ||
		c.ServiceName != "em_metrics" || c.SeriesHold != 150*time.Second || c.CollectorURL != "" || c.LogFormat != "text" {
		t.Errorf("the defaults are %+v", c)
	}
}

func TestNoAuthIsOnForEveryOtherValue(t *testing.T) {
	for value, want := range map[string]bool{
		"1": true, "true": true, "yes": true, "anything": true, "on": true,
		"0": false, "false": false, "no": false, "off": false, "FALSE": false, "": false,
	} {
		c, _ := loadConfig([]string{"EM_METRICS_NO_AUTH=" + value, "EM_METRICS_TOKEN_AUTH=s"})
		if bool(c.NoAuth) != want {
			t.Errorf("EM_METRICS_NO_AUTH=%q is %v, want %v", value, c.NoAuth, want)
		}
	}
}

func TestSecretFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig([]string{"EM_METRICS_TOKEN_AUTH_FILE=" + file})
	if err != nil || c.Token != "from the file" {
		t.Errorf("the token is %q (%v), want that of the file", c.Token, err)
	}
}

func TestWindows(t *testing.T) {
	for value, want := range map[string]int{"": 4, "none": 0, "12h": 1, " 7d , 2w": 2} {
		c, err := loadConfig([]string{"EM_METRICS_NO_AUTH=yes", "EM_METRICS_WINDOWS=" + value})
		if err != nil || len(c.Windows) != want {
			t.Errorf("EM_METRICS_WINDOWS=%q gives %v (%v), want %d windows", value, c.Windows, err, want)
		}
	}
}

func TestProductionEnvironments(t *testing.T) {
	for value, want := range map[string]string{"": "[]", " , ": "[]", "live": "[live]", " live , prod-*": "[live prod-*]"} {
		c, err := loadConfig([]string{"EM_METRICS_NO_AUTH=yes", "EM_METRICS_PRODUCTION_ENVIRONMENTS=" + value})
		if err != nil || fmt.Sprint(c.Production) != want {
			t.Errorf("EM_METRICS_PRODUCTION_ENVIRONMENTS=%q gives %v (%v), want %s", value, c.Production, err, want)
		}
	}
}

// The README and the help list every variable; the README with its default.
func TestReadmeListsEveryVariable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range settings() {
		row := "| `" + v.name + "` | "
		if v.defaultValue != "" {
			row += "`" + v.defaultValue + "` | "
		} else {
			row += "| "
		}
		if !strings.Contains(string(readme), row) {
			t.Errorf("the README has no row that begins with %q", row)
		}
		if !strings.Contains(environmentHelp(), v.name) {
			t.Errorf("the help does not list %s", v.name)
		}
	}
}
