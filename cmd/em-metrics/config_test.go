package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every mistake in the environment, with all that is said of it.
func TestConfigurationMistakes(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ env, want string }{
		"authentication switched off by a no": {"EM_METRICS_NO_AUTH=no", "no credential is set: set EM_METRICS_TOKEN_AUTH, " +
			"or EM_METRICS_BASIC_AUTH_USERNAME and EM_METRICS_BASIC_AUTH_PASSWORD (each also as <NAME>_FILE), " +
			"or EM_METRICS_NO_AUTH=true to let everybody in"},
		"user name without password": {"EM_METRICS_BASIC_AUTH_USERNAME=ci",
			"EM_METRICS_BASIC_AUTH_USERNAME is set without EM_METRICS_BASIC_AUTH_PASSWORD: set both"},
		"password without user name": {"EM_METRICS_BASIC_AUTH_PASSWORD=hidden",
			"EM_METRICS_BASIC_AUTH_PASSWORD is set without EM_METRICS_BASIC_AUTH_USERNAME: set both"},
		"secret file that is not there": {"EM_METRICS_TOKEN_AUTH_FILE=/no/such/file",
			"EM_METRICS_TOKEN_AUTH_FILE: open /no/such/file: no such file or directory"},
		"empty secret file":    {"EM_METRICS_TOKEN_AUTH_FILE=" + empty, "EM_METRICS_TOKEN_AUTH_FILE: " + empty + " is empty"},
		"port that is a name":  {"PORT=http", `PORT is "http": it must be a number from 0 to 65535`},
		"port beyond the last": {"PORT=65536", `PORT is "65536": it must be a number from 0 to 65535`},
		"hold": {"EM_METRICS_SERIES_HOLD=150",
			`EM_METRICS_SERIES_HOLD is "150": it must be a duration with a unit, such as 150s or 5m`},
		"negative hold":       {"EM_METRICS_SERIES_HOLD=-1s", "EM_METRICS_SERIES_HOLD is -1s: it must be 0 or more, such as 150s"},
		"limit of label sets": {"EM_METRICS_LABEL_SET_LIMIT=0", "EM_METRICS_LABEL_SET_LIMIT is 0: it must be 1 or more"},
		"limit that is no number": {"EM_METRICS_LABEL_SET_LIMIT=many",
			`EM_METRICS_LABEL_SET_LIMIT is "many": it must be a whole number`},
		"windows": {"EM_METRICS_WINDOWS=7d,month",
			`EM_METRICS_WINDOWS is "7d,month": it must be hours, days or weeks with commas between, such as 7d,30d,90d, or none`},
		"shutdown": {"EM_METRICS_SHUTDOWN_TIMEOUT=0s", "EM_METRICS_SHUTDOWN_TIMEOUT is 0s: it must be more than 0, such as 10s"},
		"shutdown without a unit": {"EM_METRICS_SHUTDOWN_TIMEOUT=10",
			`EM_METRICS_SHUTDOWN_TIMEOUT is "10": it must be a duration with a unit, such as 150s or 5m`},
		"log level":  {"LOG_LEVEL=loud", `LOG_LEVEL is "loud": it must be debug, info, warn or error`},
		"log format": {"LOG_FORMAT=xml", `LOG_FORMAT is "xml": it must be text or json`},
		"collector without a scheme": {"OTEL_COLLECTOR_URL=collector:4318",
			`OTEL_COLLECTOR_URL: "collector:4318" is not a URL with a scheme and a host, such as http://localhost:4318`},
		"collector without a host": {"OTEL_COLLECTOR_URL=http://",
			`OTEL_COLLECTOR_URL: "http://" is not a URL with a scheme and a host, such as http://localhost:4318`},
		"collector with another scheme": {"OTEL_COLLECTOR_URL=ftp://ci:hidden@collector",
			`OTEL_COLLECTOR_URL: "…@collector" has the scheme "ftp": it must be http, https, grpc or grpcs`},
		"collector that is no URL": {"OTEL_COLLECTOR_URL=http://ci:hidden%zz@collector",
			`OTEL_COLLECTOR_URL: "…@collector" is not a URL with a scheme and a host, such as http://localhost:4318`},
		"path for gRPC": {"OTEL_COLLECTOR_URL=grpc://collector:4317/v1",
			`OTEL_COLLECTOR_URL: "grpc://collector:4317/v1" has a path, which gRPC does not use: leave it out`},
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"EM_METRICS_NO_AUTH=true", "SQLITE_DB=" + filepath.Join(t.TempDir(), "x.db"), test.env}
			_, stderr, code := runIn(t, env)
			want := "Error: the configuration cannot be used:\n  " + test.want + "\nTry:   em-metrics help\n"
			if code != 1 || stderr != want {
				t.Errorf("exit code %d and %q, want 1 and %q", code, stderr, want)
			}
		})
	}
}

// What the configuration names may not be there either.
func TestStartThatFails(t *testing.T) {
	for env, want := range map[string]string{
		"CONFIG=/no/such/teams.json":     "Error: CONFIG: read teams: open /no/such/teams.json",
		"SQLITE_DB=/no/such/folder/x.db": "Error: SQLITE_DB: open store",
		"HOST=192.0.2.1":                 "Error: listen on HOST and PORT: ",
	} {
		base := []string{"EM_METRICS_NO_AUTH=true", "SQLITE_DB=" + filepath.Join(t.TempDir(), "x.db"), "PORT=0", "HOST=127.0.0.1"}
		if _, stderr, code := runIn(t, append(base, env)); code != 1 || !strings.HasPrefix(stderr, want) {
			t.Errorf("%s: exit code %d and %q, want 1 and %q", env, code, stderr, want)
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

func TestNoAuthIsOnWithAnyOtherValue(t *testing.T) {
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

func TestSecretFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig([]string{"EM_METRICS_TOKEN_AUTH_FILE=" + file})
	if err != nil || c.Token != "from the file" {
		t.Errorf("the token is %q (%v)", c.Token, err)
	}
}

func TestWindows(t *testing.T) {
	for value, want := range map[string]int{"": 3, "none": 0, "12h": 1, " 7d , 2w": 2} {
		c, err := loadConfig([]string{"EM_METRICS_NO_AUTH=yes", "EM_METRICS_WINDOWS=" + value})
		if err != nil || len(c.Windows) != want {
			t.Errorf("EM_METRICS_WINDOWS=%q gives %v (%v), want %d windows", value, c.Windows, err, want)
		}
	}
}

// The README has a row for each variable, with its default, and no other.
func TestReadmeListsEveryVariable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range settings() {
		row := "| `" + v.name + "` | "
		if v.standard != "" {
			row += "`" + v.standard + "` | "
		} else {
			row += "| "
		}
		if !strings.Contains(string(readme), row) {
			t.Errorf("the README has no row %q", row)
		}
		if !strings.Contains(environmentHelp(), v.name) {
			t.Errorf("the help has no %s", v.name)
		}
	}
}

// runIn runs the program in this process, without its binary.
func runIn(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), process{args: args, environ: env, stdin: strings.NewReader(""), stdout: &out, stderr: &err})
	return out.String(), err.String(), code
}
