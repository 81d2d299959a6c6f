package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every mistake in the environment, with what is said of it.
func TestConfigurationMistakes(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"no credential": {nil, "no credential is set: set EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and " +
			"EM_METRICS_BASIC_AUTH_PASSWORD (each also as <NAME>_FILE), or EM_METRICS_NO_AUTH=true to let everybody in"},
		"authentication switched off by a no": {[]string{"EM_METRICS_NO_AUTH=no"}, "no credential is set"},
		"user name without password": {[]string{"EM_METRICS_BASIC_AUTH_USERNAME=ci"},
			"EM_METRICS_BASIC_AUTH_USERNAME is set without EM_METRICS_BASIC_AUTH_PASSWORD: set both"},
		"password without user name": {[]string{"EM_METRICS_BASIC_AUTH_PASSWORD=s"},
			"EM_METRICS_BASIC_AUTH_PASSWORD is set without EM_METRICS_BASIC_AUTH_USERNAME: set both"},
		"secret twice": {[]string{"EM_METRICS_TOKEN_AUTH=s", "EM_METRICS_TOKEN_AUTH_FILE=" + empty},
			"EM_METRICS_TOKEN_AUTH and EM_METRICS_TOKEN_AUTH_FILE are both set: set one of them"},
		"secret file that is not there": {[]string{"EM_METRICS_TOKEN_AUTH_FILE=/no/such/file"},
			"EM_METRICS_TOKEN_AUTH_FILE: open /no/such/file: no such file or directory"},
		"empty secret file": {[]string{"EM_METRICS_TOKEN_AUTH_FILE=" + empty},
			"EM_METRICS_TOKEN_AUTH_FILE: " + empty + " is empty"},
		"port": {[]string{"PORT=http"}, `PORT is "http": it must be a number from 0 to 65535`},
		"hold": {[]string{"EM_METRICS_SERIES_HOLD=150"},
			`EM_METRICS_SERIES_HOLD is "150": it must be a duration with a unit, such as 150s or 5m`},
		"negative hold":       {[]string{"EM_METRICS_SERIES_HOLD=-1s"}, "EM_METRICS_SERIES_HOLD is -1s: it must be 0 or more"},
		"limit of label sets": {[]string{"EM_METRICS_LABEL_SET_LIMIT=0"}, "EM_METRICS_LABEL_SET_LIMIT is 0: it must be 1 or more"},
		"limit that is no number": {[]string{"EM_METRICS_LABEL_SET_LIMIT=many"},
			`EM_METRICS_LABEL_SET_LIMIT is "many": it must be a whole number`},
		"windows": {[]string{"EM_METRICS_WINDOWS=7d,month"},
			`EM_METRICS_WINDOWS is "7d,month": it must be hours, days or weeks with commas between, such as 7d,30d,90d`},
		"shutdown":                   {[]string{"EM_METRICS_SHUTDOWN_TIMEOUT=0s"}, "EM_METRICS_SHUTDOWN_TIMEOUT is 0s: it must be more than 0"},
		"log level":                  {[]string{"LOG_LEVEL=loud"}, `LOG_LEVEL is "loud": it must be debug, info, warn or error`},
		"log format":                 {[]string{"LOG_FORMAT=xml"}, `LOG_FORMAT is "xml": it must be text or json`},
		"collector without a scheme": {[]string{"OTEL_COLLECTOR_URL=collector:4318"}, "OTEL_COLLECTOR_URL: "},
		"collector with another scheme": {[]string{"OTEL_COLLECTOR_URL=ftp://collector"},
			`OTEL_COLLECTOR_URL: "ftp://collector" has the scheme "ftp": it must be http, https, grpc or grpcs`},
		"path for gRPC": {[]string{"OTEL_COLLECTOR_URL=grpc://collector:4317/v1"}, "which gRPC does not use: leave it out"},
		"teams file that is not there": {[]string{"EM_METRICS_NO_AUTH=1", "CONFIG=/no/such/teams.json"},
			"CONFIG: read teams: open /no/such/teams.json"},
		"database in no folder":      {[]string{"EM_METRICS_NO_AUTH=1", "SQLITE_DB=/no/such/folder/x.db"}, "SQLITE_DB: open store"},
		"address of another machine": {[]string{"EM_METRICS_NO_AUTH=1", "HOST=192.0.2.1"}, "listen on HOST and PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			env := append([]string{"SQLITE_DB=" + filepath.Join(t.TempDir(), "x.db"), "PORT=0", "HOST=127.0.0.1"}, test.env...)
			_, stderr, code := runIn(t, env)
			if code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d and %q, want 1 and %q", code, stderr, test.want)
			}
		})
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	_, stderr, _ := runIn(t, []string{"PORT=x", "LOG_FORMAT=xml", "EM_METRICS_SERIES_HOLD=1", "OTEL_COLLECTOR_URL=x"})
	for _, variable := range []string{"PORT", "LOG_FORMAT", "EM_METRICS_SERIES_HOLD", "OTEL_COLLECTOR_URL", "EM_METRICS_TOKEN_AUTH"} {
		if !strings.Contains(stderr, variable) {
			t.Errorf("%s is not mentioned: %s", variable, stderr)
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
