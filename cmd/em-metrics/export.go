package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
)

const exportHelp = `Writes the metrics of the past in OpenMetrics, as Prometheus would have scraped them if
every event had been sent when it happened, and the series that prometheus/rules/counters.yml
would have recorded. promtool makes blocks of it, for a Prometheus that was not there.

It reads the database file that SQLITE_DB names. The service may be running, in the same
version. Set EM_METRICS_WINDOWS, EM_METRICS_LABEL_SET_LIMIT and EM_METRICS_SERIES_HOLD as
for the service.

Usage:
  em-metrics export -format openmetrics [flags]

Example:
  em-metrics export -format openmetrics -out history.txt
  promtool tsdb create-blocks-from --max-block-duration=87600h openmetrics history.txt data

There is a sample at each multiple of -step, and one every four minutes in the last day.
A sample takes about 140 bytes, and about 12 more in temporary files in the folder of -out
or in TMPDIR.

Flags:
`

func (p process) export(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	var o exporter.HistoryOptions
	format := flags.String("format", "", "`format` of the output: openmetrics")
	out := flags.String("out", "-", "`file` to write; - is standard output")
	flags.DurationVar(&o.Step, "step", time.Hour, "`time` between samples; queries of the dashboards look back two hours")
	dateVar(flags, &o.From, "from", "`date` of the first samples, such as 2026-04-01 or 2026-04-01T12:00:00Z (default before the first event)")
	dateVar(flags, &o.To, "to", "`date` of the last samples (default now)")
	job := flags.String("job", "em_metrics", "`name` of the scrape job")
	instance := flags.String("instance", "em-metrics:3000", "`address` that Prometheus scrapes")
	flags.Func("label", "another label of the target, as `name=value`; may be repeated", func(s string) error {
		l, err := parseLabel(s)
		o.Target = append(o.Target, l)
		return err
	})
	if err := p.parseFlags(flags, args, exportHelp); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return p.wrongUsage("export", fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	case *format != "openmetrics":
		return p.wrongUsage("export", fmt.Sprintf("-format is %q; it must be openmetrics", *format))
	case o.Step < time.Second:
		return p.wrongUsage("export", fmt.Sprintf("-step is %s; it must be 1s or more", o.Step))
	case !o.To.IsZero() && !o.From.Before(o.To):
		return p.wrongUsage("export", "-from must be before -to")
	}
	o.Target = append([]exporter.Label{{Name: "job", Value: *job}, {Name: "instance", Value: *instance}}, o.Target...)
	return p.writeHistory(ctx, *out, o)
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func parseLabel(s string) (exporter.Label, error) {
	name, value, found := strings.Cut(s, "=")
	if !found || !labelName.MatchString(name) {
		return exporter.Label{}, errors.New("must be a name and a value, such as cluster=eu")
	}
	return exporter.Label{Name: name, Value: value}, nil
}

// writeHistory exports the history of the store that the environment names.
func (p process) writeHistory(ctx context.Context, out string, o exporter.HistoryOptions) (err error) {
	c, err := loadStoreConfig(p.environ)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Database); err != nil {
		return fmt.Errorf("SQLITE_DB: %w", err)
	}
	logger := c.logger(p.stderr)
	limitMemory(logger)
	store, err := db.Open(ctx, c.Database, db.Options{})
	if err != nil {
		return fmt.Errorf("SQLITE_DB: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	progress, start := newProgress(p.stderr), time.Now()
	o.SeriesHold, o.LabelSetLimit, o.Windows, o.Logger = c.SeriesHold, c.LabelSetLimit, c.Windows, logger
	o.Progress = func(done, all int) { progress.show("%d of %d times", done, all) }
	var size exporter.HistorySize
	err = p.writeOut(out, func(w io.Writer) (err error) {
		if out != "-" {
			o.TempDir = filepath.Dir(out)
		}
		size, err = exporter.WriteHistory(ctx, store, w, o)
		return err
	})
	progress.clear()
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	fmt.Fprintf(p.stderr, "%d samples from %s to %s, in %s\n", size.Samples,
		size.From.UTC().Format(time.RFC3339), size.To.UTC().Format(time.RFC3339), time.Since(start).Round(time.Millisecond))
	return nil
}

// writeOut lets write write to a file, or to standard output for "-". The file is
// removed if that fails.
func (p process) writeOut(name string, write func(io.Writer) error) error {
	if name == "-" {
		buffered := bufio.NewWriterSize(p.stdout, 1<<16)
		return errors.Join(write(buffered), buffered.Flush())
	}
	file, err := os.Create(name) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, 1<<16)
	if err := errors.Join(write(buffered), buffered.Flush(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
