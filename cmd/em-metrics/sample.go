package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"time"
)

const sampleHelp = `Prints a believable year of deployments and incidents as JSON lines, to try things out:
five projects of three teams, in the order in which it all happened. The same end and
seed always give the same year.

Usage:
  em-metrics sample [flags]

Examples:
  em-metrics sample | em-metrics replay -
  em-metrics sample -end 2026-04-01 > year.jsonl

Flags:
`

// sampleSeed is the seed of the year that is printed when no other is asked for.
const sampleSeed = 1

// sample prints a sample that ends now, so that its newest lines are recent
// whenever it is looked at.
func sample(args []string, stdout, stderr io.Writer, now time.Time) error {
	p := process{stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("sample", flag.ContinueOnError)
	seed := flags.Uint64("seed", sampleSeed, "`number` that chooses one of many years")
	end := now
	flags.Func("end", "`date` of the end of the year, as 2026-04-01 or 2026-04-01T12:00:00Z (default now)", func(s string) error {
		var err error
		end, err = sampleEnd(s)
		return err
	})
	if err := p.parseFlags(flags, args, sampleHelp); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return p.wrongUsage("sample", fmt.Sprintf("%q is too much: sample takes only flags", flags.Arg(0)))
	}
	return writeSample(stdout, end, *seed)
}

func sampleEnd(s string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day, nil
	}
	moment, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("it must be a date such as 2026-04-01 or 2026-04-01T12:00:00Z")
	}
	return moment, nil
}

// sampleLine is a line of a file to replay.
type sampleLine struct {
	Kind          string    `json:"kind"`
	ProjectID     string    `json:"project_id"`
	Environment   string    `json:"environment"`
	ID            string    `json:"id"`
	FirstCommitAt time.Time `json:"first_commit_at,omitzero"`
	DeployStartAt time.Time `json:"deploy_start_at,omitzero"`
	DeployedAt    time.Time `json:"deployed_at,omitzero"`
	Rework        bool      `json:"rework,omitzero"`
	DeploymentID  string    `json:"deployment_id,omitzero"`
	StartedAt     time.Time `json:"started_at,omitzero"`
	RestoredAt    time.Time `json:"restored_at,omitzero"`
	FinishedAt    time.Time `json:"finished_at,omitzero"`
	User          string    `json:"user"`
}

// writeSample writes the year before end. Nothing in it is after end.
func writeSample(w io.Writer, end time.Time, seed uint64) error {
	buffered := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffered)
	for _, line := range newSampleYear(end, seed).lines() {
		if err := encoder.Encode(line); err != nil {
			return fmt.Errorf("write the sample: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write the sample: %w", err)
	}
	return nil
}
