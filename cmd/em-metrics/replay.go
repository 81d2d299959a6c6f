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
	"os"
	"time"

	"golang.org/x/term"

	"github.com/em-metrics/em-metrics/handlers"
)

const replayHelp = `Sends the deployments and incidents of a file to a running service, line by line.
Sending a file again changes nothing.

Usage:
  em-metrics replay [flags] FILE    "-" reads standard input
  em-metrics replay [flags] -sample sends a believable year that ends now

Each line is a JSON object, as for POST /deployments and POST /incidents, with a "kind":
  {"kind": "deployment", "id": "1", "project_id": "shop", "first_commit_at": "2026-01-31T09:00:00Z", "deployed_at": "2026-01-31T12:00:00Z"}
  {"kind": "incident", "id": "7", "project_id": "shop", "deployment_id": "1", "started_at": "2026-01-31T12:30:00Z"}
A deployment with a deployed_at and no deploy_start_at counts as started when it was deployed.

The credential comes from EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME and
EM_METRICS_BASIC_AUTH_PASSWORD, or from the file that <NAME>_FILE names.

Flags:
`

// maxLine is the longest line that is read, in bytes: the limit of a body.
const maxLine = 1 << 20

// replayLine is a line of the file: a deployment or an incident.
type replayLine struct {
	Kind string `json:"kind"`
	handlers.DeploymentRequest
	DeploymentID *string         `json:"deployment_id"`
	StartedAt    *string         `json:"started_at"`
	RestoredAt   *string         `json:"restored_at"`
	FinishedAt   *string         `json:"finished_at"`
	Commits      json.RawMessage `json:"commits"` // told by some sources and not used
}

// replayer counts what came of the lines.
type replayer struct {
	client   *client
	stderr   io.Writer
	terminal bool

	lines, deployments, incidents, created, refused int
	shown                                           time.Time
}

func (p process) replay(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	fromSample := flags.Bool("sample", false, "send the sample instead of a file")
	url := flags.String("url", "", "address of the service (default EM_METRICS_URL, or http://localhost:$PORT)")
	if err := p.parseFlags(flags, args, replayHelp); err != nil {
		return err
	}
	if *fromSample && flags.NArg() != 0 || !*fromSample && flags.NArg() != 1 {
		return p.wrongUsage("replay", "name one file, or - for standard input, or -sample")
	}
	client, err := newClient(p.environ, *url)
	if err != nil {
		return err
	}
	input, done, err := p.replayInput(*fromSample, flags.Arg(0))
	if err != nil {
		return err
	}
	defer done()
	r := &replayer{client: client, stderr: p.stderr, terminal: isTerminal(p.stderr)}
	start := time.Now()
	err = r.replay(ctx, input)
	r.clearProgress()
	fmt.Fprintf(p.stdout, "%d lines: %d deployments and %d incidents, %d of them new, %d refused, in %s\n",
		r.lines, r.deployments, r.incidents, r.created, r.refused, time.Since(start).Round(time.Millisecond))
	if err == nil && r.refused > 0 {
		err = fmt.Errorf("%d of %d lines were refused; the others are stored", r.refused, r.lines)
	}
	return err
}

func (p process) replayInput(fromSample bool, name string) (input io.Reader, done func(), err error) {
	switch {
	case fromSample:
		var b bytes.Buffer
		err := sample(nil, &b, p.stderr, time.Now())
		return &b, func() {}, err
	case name == "-":
		return p.stdin, func() {}, nil
	}
	file, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, nil, fmt.Errorf("open the file to replay: %w", err)
	}
	return file, func() { _ = file.Close() }, nil // it was only read
}

// replay sends every line. One that is refused is reported and the next ones
// go on; when the service cannot be reached the rest would fail too.
func (r *replayer) replay(ctx context.Context, input io.Reader) error {
	scanner := bufio.NewScanner(input)
	scanner.Buffer(nil, maxLine)
	for number := 1; scanner.Scan(); number++ {
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		r.lines++
		err := r.send(ctx, line)
		var refusal *refusal
		switch {
		case errors.As(err, &refusal):
			r.refused++
			r.clearProgress()
			fmt.Fprintf(r.stderr, "line %d: %v\n", number, refusal)
		case err != nil:
			return fmt.Errorf("line %d: %w", number, err)
		}
		r.showProgress()
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read the lines to replay: %w", err)
	}
	return nil
}

func (r *replayer) send(ctx context.Context, line []byte) error {
	var l replayLine
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return &refusal{fmt.Sprintf("is not a line to replay: %v", err)}
	}
	var created bool
	var err error
	switch l.Kind {
	case "deployment":
		r.deployments++
		created, err = r.client.sendDeployment(ctx, l.DeploymentRequest)
	case "incident":
		r.incidents++
		created, err = r.client.sendIncident(ctx, handlers.IncidentRequest{
			ID: l.ID, ProjectID: l.ProjectID, Environment: l.Environment, DeploymentID: l.DeploymentID,
			StartedAt: l.StartedAt, RestoredAt: l.RestoredAt, FinishedAt: l.FinishedAt, User: l.User, Username: l.Username,
		})
	default:
		return &refusal{fmt.Sprintf("kind is %q: it must be deployment or incident", l.Kind)}
	}
	if created {
		r.created++
	}
	return err
}

// showProgress says on a terminal how far the replay is, a few times a second.
func (r *replayer) showProgress() {
	if r.terminal && time.Since(r.shown) > 200*time.Millisecond {
		r.shown = time.Now()
		fmt.Fprintf(r.stderr, "\r%d lines sent", r.lines)
	}
}

func (r *replayer) clearProgress() {
	if r.terminal {
		fmt.Fprint(r.stderr, "\r\x1b[K")
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
