package main

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"
)

// setting describes the environment variable of a field of config.
type setting struct {
	name         string
	field        string
	defaultValue string
	help         string
	format       string // what the value must be, in words
	secret       bool
}

// settings describes every variable, in the order of help.
func settings() []setting {
	var all []setting
	t := reflect.TypeFor[config]()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		all = append(all, setting{
			name: f.Tag.Get("env"), field: f.Name, defaultValue: f.Tag.Get("envDefault"),
			help: f.Tag.Get("help"), format: formatOf(f.Type), secret: f.Tag.Get("secret") != "",
		})
	}
	return all
}

// formatOf describes the values of a type in words.
func formatOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "a duration with a unit, such as 150s or 5m"
	case reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case reflect.TypeFor[windows]():
		return "hours, days or weeks separated by commas, such as 7d,30d,90d, or none"
	case reflect.TypeFor[environments]():
		return "names of environments separated by commas, in which * stands for any text"
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
		defaultValue := ""
		if v.defaultValue != "" {
			defaultValue = " (default " + v.defaultValue + ")"
		}
		fmt.Fprintf(w, "  %s\t%s%s\n", v.name, v.help, defaultValue)
	}
	_ = w.Flush() // a strings.Builder never fails
	b.WriteString("\nA secret can be read from a file instead:\n")
	for _, v := range settings() {
		if v.secret {
			fmt.Fprintf(&b, "  %s_FILE\n", v.name)
		}
	}
	b.WriteString("\nThe OTEL_ variables of the OpenTelemetry SDK are supported too, such as OTEL_RESOURCE_ATTRIBUTES,\n" +
		"OTEL_METRIC_EXPORT_INTERVAL and OTEL_EXPORTER_OTLP_HEADERS.\n")
	return b.String()
}
