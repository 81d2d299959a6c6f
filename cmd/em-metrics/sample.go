package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/sample"
)

const sampleHelp = `Prints a year of sample data as JSON lines: the deployments and incidents of five
projects and three teams, in chronological order. The same end and seed always give the
same year. With -teams it prints the teams file that CONFIG names instead.

Usage:
  em-metrics sample [flags]

Examples:
  em-metrics sample | em-metrics replay -
  em-metrics sample -end 2026-04-01 > year.jsonl
  em-metrics sample -teams > teams.json

Flags:
`

// sample prints the sample. By default it ends now, so that its newest lines are
// always recent.
func (p process) sample(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("sample", flag.ContinueOnError)
	seed := flags.Uint64("seed", sample.DefaultSeed, "`number` that selects one of many years")
	teams := flags.Bool("teams", false, "print the teams file of the sample")
	end := time.Now()
	dateVar(flags, &end, "end", "`date` on which the year ends, such as 2026-04-01 or 2026-04-01T12:00:00Z (default now)")
	if err := p.parseFlags(flags, args, sampleHelp); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return p.wrongUsage("sample", fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	if *teams {
		return sample.WriteTeams(p.stdout)
	}
	return sample.Write(p.stdout, end, *seed)
}

// dateVar defines a flag with a date.
func dateVar(flags *flag.FlagSet, at *time.Time, name, usage string) {
	flags.Func(name, usage, func(s string) (err error) {
		*at, err = parseDate(s)
		return err
	})
}

// parseDate reads a date, with or without a time of day.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("must be a date such as 2026-04-01 or 2026-04-01T12:00:00Z")
}
