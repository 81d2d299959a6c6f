package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/client"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/ordered"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/sample"
	"github.com/em-metrics/em-metrics/handlers"
)

const replayHelp = `Sends the deployments and incidents in a file to a running service. Many lines are sent
at a time, but those of one deployment, with its incidents, in the order of the file.
Sending a file again changes nothing.

Usage:
  em-metrics replay [flags] FILE     "-" reads standard input
  em-metrics replay [flags] -sample  sends a year of sample data that ends now

Each line is a JSON object, as for POST /deployments and POST /incidents, with a "kind":
  {"kind": "deployment", "id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z", "deployed_at": "2026-01-31T12:00:00Z"}
  {"kind": "incident", "id": "7", "project_id": "shop", "deployment_id": "1", "started_at": "2026-01-31T12:30:00Z"}
A deployment with deployed_at but without deploy_start_at is recorded as started at
deployed_at. One with aborted_at will not be deployed.

` + credentialsHelp + `
Flags:
`

// maxLine is the length of the longest line that is read, in bytes: the limit of
// a request body.
const maxLine = 1 << 20

// connections is how many lines are sent at a time. The service stores concurrent
// requests with one sync of the disk.
const connections = 32

// replayLine is a line of the file: a deployment or an incident.
type replayLine struct {
	Kind string `json:"kind"`
	handlers.DeploymentRequest
	AbortedAt    *string       `json:"aborted_at"`
	DeploymentID *string       `json:"deployment_id"`
	StartedAt    *string       `json:"started_at"`
	RestoredAt   *string       `json:"restored_at"`
	FinishedAt   *string       `json:"finished_at"`
	Commits      replayCommits `json:"commits"`
}

// replayCommits are the commits of a deployment. Some files have their number, which
// is ignored.
type replayCommits struct{ handlers.CommitRequests }

func (c *replayCommits) UnmarshalJSON(text []byte) error {
	var number float64
	if json.Unmarshal(text, &number) == nil {
		return nil
	}
	return c.CommitRequests.UnmarshalJSON(text)
}

// deployment returns the request for a line of this kind.
func (l replayLine) deployment() handlers.DeploymentRequest {
	d := l.DeploymentRequest
	d.Commits = l.Commits.CommitRequests
	if text(d.DeployStartAt) == "" {
		d.DeployStartAt = d.DeployedAt
	}
	return d
}

// incident returns the request for a line of this kind.
func (l replayLine) incident() handlers.IncidentRequest {
	return handlers.IncidentRequest{
		ID: l.ID, ProjectID: l.ProjectID, Environment: l.Environment, DeploymentID: l.DeploymentID,
		StartedAt: l.StartedAt, RestoredAt: l.RestoredAt, FinishedAt: l.FinishedAt, User: l.User, Username: l.Username,
	}
}

// replayer sends lines and counts them.
type replayer struct {
	client   *client.Client
	stderr   io.Writer
	progress *progress

	lines, deployments, incidents, created, rejected int
}

func (p process) replay(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	fromSample := flags.Bool("sample", false, "send sample data instead of a file")
	address := flags.String("url", "", urlFlagHelp)
	if err := p.parseFlags(flags, args, replayHelp); err != nil {
		return err
	}
	if *fromSample && flags.NArg() != 0 || !*fromSample && flags.NArg() != 1 {
		return p.wrongUsage("replay", "expected one file, - for standard input, or -sample")
	}
	c, err := p.newClient(*address)
	if err != nil {
		return err
	}
	input, closeInput, err := p.openReplay(*fromSample, flags.Arg(0))
	if err != nil {
		return err
	}
	defer closeInput()
	r := &replayer{client: c, stderr: p.stderr, progress: newProgress(p.stderr)}
	start := time.Now()
	err = r.replay(ctx, input)
	r.progress.clear()
	fmt.Fprintf(p.stdout, "%d lines: %d deployments and %d incidents, %d new, %d rejected, in %s\n",
		r.lines, r.deployments, r.incidents, r.created, r.rejected, time.Since(start).Round(time.Millisecond))
	if err == nil && r.rejected > 0 {
		err = fmt.Errorf("%d of %d lines were rejected; the others are stored", r.rejected, r.lines)
	}
	return err
}

// openReplay opens the file of that name, standard input for "-", or the sample.
func (p process) openReplay(fromSample bool, name string) (input io.Reader, closeInput func(), err error) {
	switch {
	case fromSample:
		var b bytes.Buffer
		err := sample.Write(&b, time.Now(), sample.DefaultSeed)
		return &b, func() {}, err
	case name == "-":
		return p.stdin, func() {}, nil
	}
	file, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, nil, fmt.Errorf("open the file to replay: %w", err)
	}
	return file, func() { _ = file.Close() }, nil // nothing was written
}

// replay sends every line. A rejected line is reported and skipped; any other
// error ends the replay, because the remaining lines would fail too. Errors are
// reported in the order of the lines.
func (r *replayer) replay(ctx context.Context, input io.Reader) error {
	scanner := bufio.NewScanner(input)
	scanner.Buffer(nil, maxLine)
	for sent := range ordered.Run(ctx, connections, r.jobs(scanner)) {
		r.count(sent)
		var rejected *client.RejectedError
		switch err := sent.err; {
		case errors.Is(err, errMalformed), errors.As(err, &rejected):
			r.rejected++
			r.progress.clear()
			fmt.Fprintf(r.stderr, "line %d: %v\n", sent.number, err)
		case err != nil:
			return fmt.Errorf("line %d: %w", sent.number, err)
		}
		r.progress.show("%d lines sent", r.lines)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("after %d lines: %w", r.lines, err)
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read the file to replay: %w", err)
	}
	return nil
}

// sentLine is a line that has been sent.
type sentLine struct {
	number  int
	kind    string
	created bool
	err     error // an errMalformed or a [client.RejectedError] if the line is at fault
}

func (r *replayer) count(sent sentLine) {
	r.lines++
	switch sent.kind {
	case "deployment":
		r.deployments++
	case "incident":
		r.incidents++
	}
	if sent.created {
		r.created++
	}
}

// errMalformed means that a line is not one of a file to replay.
var errMalformed = errors.New("malformed line")

// jobs returns a job for each line, which sends it.
func (r *replayer) jobs(lines *bufio.Scanner) iter.Seq[ordered.Job[sentLine]] {
	return func(yield func(ordered.Job[sentLine]) bool) {
		for number := 1; lines.Scan(); number++ {
			content := bytes.TrimSpace(lines.Bytes())
			if len(content) == 0 {
				continue
			}
			line, err := parseLine(content)
			job := line.order()
			job.Run = func(ctx context.Context) sentLine {
				sent := sentLine{number: number, kind: line.Kind, err: err}
				if err == nil {
					sent.created, sent.err = r.send(ctx, line)
				}
				return sent
			}
			if !yield(job) {
				return
			}
		}
	}
}

// parseLine parses a line. The error is an [errMalformed].
func parseLine(content []byte) (l replayLine, err error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return replayLine{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if l.Kind != "deployment" && l.Kind != "incident" {
		return l, fmt.Errorf("%w: kind is %q; it must be deployment or incident", errMalformed, l.Kind)
	}
	return l, nil
}

// order returns what the order of a line depends on: lines of the same deployment
// or incident, and an incident and its deployment, are sent in the order of the
// file. An incident without an id gets one from the number of incidents before it.
// Whether a deployment is a rollback depends on those of the project before it, and it
// restores their incidents.
func (l replayLine) order() (job ordered.Job[sentLine]) {
	if l.Kind == "incident" && text(l.ID) == "" {
		job.Alone = true
		return job
	}
	job.Keys = append(job.Keys, fmt.Sprintf("%s %q %q", l.Kind, text(l.ProjectID), text(l.ID)))
	cause := text(l.DeploymentID)
	if cause != "" {
		job.Keys = append(job.Keys, fmt.Sprintf("deployment %q %q", text(l.ProjectID), cause))
	}
	if cause != "" || text(l.Commit) != "" || l.Rollback.V {
		job.Keys = append(job.Keys, fmt.Sprintf("project %q", text(l.ProjectID)))
	}
	return job
}

// text returns the value of an optional field.
func text(field *string) string {
	if field == nil {
		return ""
	}
	return *field
}

// send sends a line of one of the two kinds.
func (r *replayer) send(ctx context.Context, l replayLine) (created bool, err error) {
	switch {
	case l.Kind == "incident":
		return r.client.RecordIncident(ctx, l.incident())
	case text(l.AbortedAt) != "" && text(l.ID) != "":
		return r.client.RecordAborted(ctx, l.deployment(), *l.AbortedAt)
	}
	return r.client.RecordDeployment(ctx, l.deployment())
}
