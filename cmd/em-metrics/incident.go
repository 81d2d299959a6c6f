package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/client"
	"github.com/em-metrics/em-metrics/handlers"
)

const incidentOpenHelp = `Records an incident. If it is linked to the deployment that caused it, that deployment has
failed.

Usage:
  em-metrics incident open -project NAME [flags]

Example:
  em-metrics incident open -project shop -id INC-7 -deployment 42 -at 2026-01-31T12:30:00Z

` + incidentFlagsHelp

const incidentRestoreHelp = `Records that service was restored.

Usage:
  em-metrics incident restore [flags] ID

Example:
  em-metrics incident restore -at 2026-01-31T13:00:00Z INC-7

` + incidentFlagsHelp

const incidentFinishHelp = `Records that an incident was closed. Service is restored then, if that was not recorded.

Usage:
  em-metrics incident finish [flags] ID

Example:
  em-metrics incident finish INC-7

` + incidentFlagsHelp

const incidentListHelp = `Prints the incidents, newest first.

Usage:
  em-metrics incident list [flags]

Example:
  em-metrics incident list -project shop -open

` + incidentFlagsHelp

const incidentFlagsHelp = `EM_METRICS_URL is the address of the service. The token comes from EM_METRICS_TOKEN, or from the
file that EM_METRICS_TOKEN_FILE names.

Flags:
`

// incidentFlags are the flags that all incident commands have.
type incidentFlags struct {
	*flag.FlagSet
	url, project, environment string
	json, soft                bool
	help                      string
}

func newIncidentFlags(name, help string) *incidentFlags {
	f := &incidentFlags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), help: help}
	f.StringVar(&f.url, "url", "", urlFlagHelp)
	f.StringVar(&f.project, "project", "", "`name` of the project")
	f.StringVar(&f.environment, "environment", "", "`name` of the environment")
	f.BoolVar(&f.json, "json", false, "print what is recorded, as JSON")
	return f
}

// defineSoft defines the flag of the commands that record something.
func (f *incidentFlags) defineSoft() {
	f.BoolVar(&f.soft, "soft", false, softFlagHelp)
}

// incidentClient parses the flags and returns a client. The commands have so many
// arguments.
func (p process) incidentClient(f *incidentFlags, args []string, arguments int) (*client.Client, error) {
	if err := p.parseFlags(f.FlagSet, args, f.help); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > arguments:
		return nil, p.wrongUsage(f.Name(), fmt.Sprintf("unexpected argument %q; flags come first", f.Arg(arguments)))
	case f.NArg() < arguments:
		return nil, p.wrongUsage(f.Name(), "expected the id of an incident")
	}
	return p.newClient(f.url)
}

func (p process) incidentOpen(ctx context.Context, args []string) error {
	f := newIncidentFlags("incident open", incidentOpenHelp)
	q := handlers.IncidentRequest{ProjectID: &f.project, Environment: &f.environment, ID: new(string), DeploymentID: new(string)}
	f.defineSoft()
	f.StringVar(q.ID, "id", "", "`id` of the incident (default: the service generates one)")
	f.StringVar(q.DeploymentID, "deployment", "", "`id` of the deployment that caused it")
	f.StringVar(&q.User, "user", "", "`name` of the user, which may decide the team")
	// A date that is sent makes a repeated request the same incident.
	started := time.Now().UTC().Format(time.RFC3339Nano)
	dateFlag(f.FlagSet, &started, "at", "it started (default now)")
	q.StartedAt = &started
	c, err := p.incidentClient(f, args, 0)
	if err != nil {
		return err
	}
	if f.project == "" {
		return p.wrongUsage(f.Name(), "set -project")
	}
	recorded, err := c.OpenIncident(ctx, q)
	return p.printIncident(f, recorded, err, "has started")
}

func (p process) incidentRestore(ctx context.Context, args []string) error {
	f := newIncidentFlags("incident restore", incidentRestoreHelp)
	return p.updateIncident(ctx, f, args, "restored", "is restored")
}

func (p process) incidentFinish(ctx context.Context, args []string) error {
	f := newIncidentFlags("incident finish", incidentFinishHelp)
	return p.updateIncident(ctx, f, args, "finished", "is finished")
}

func (p process) updateIncident(ctx context.Context, f *incidentFlags, args []string, event, done string) error {
	q := handlers.IncidentDateRequest{ProjectID: &f.project, Environment: &f.environment, Date: new(string)}
	f.defineSoft()
	dateFlag(f.FlagSet, q.Date, "at", "it was "+event+" (default now)")
	c, err := p.incidentClient(f, args, 1)
	if err != nil {
		return err
	}
	recorded, err := c.UpdateIncident(ctx, f.Arg(0), event, q)
	return p.printIncident(f, recorded, err, done)
}

// incidentRow is an incident in a list.
type incidentRow struct {
	ID           string `json:"id"`
	ProjectID    string `json:"project_id"`
	Environment  string `json:"environment"`
	DeploymentID string `json:"deployment_id"`
	StartedAt    string `json:"started_at"`
	RestoredAt   string `json:"restored_at"`
	FinishedAt   string `json:"finished_at"`
}

// printIncident prints what is recorded of one incident.
func (p process) printIncident(f *incidentFlags, recorded []byte, err error, done string) error {
	if err != nil && f.soft {
		p.warn("the incident was not recorded: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if f.json {
		_, err := p.stdout.Write(recorded)
		return err
	}
	var i incidentRow
	if err := json.Unmarshal(recorded, &i); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "incident %s of %s in %s %s\n", i.ID, i.ProjectID, i.Environment, done)
	return err
}

func (p process) incidentList(ctx context.Context, args []string) error {
	f := newIncidentFlags("incident list", incidentListHelp)
	team := f.String("team", "", "`name` of the team")
	open := f.Bool("open", false, "only those in which service is not restored")
	unfinished := f.Bool("unfinished", false, "only those that are not closed")
	limit := f.Int("limit", 50, "maximum `number` of incidents, at most 500")
	c, err := p.incidentClient(f, args, 0)
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(*limit)}}
	for name, value := range map[string]string{"project_id": f.project, "environment": f.environment, "team_id": *team} {
		if value != "" {
			query.Set(name, value)
		}
	}
	switch {
	case *open && *unfinished:
		return p.wrongUsage(f.Name(), "-open and -unfinished exclude each other")
	case *open:
		query.Set("type", "in-progress")
	case *unfinished:
		query.Set("type", "unfinished")
	}
	list, err := c.Incidents(ctx, query)
	if err != nil {
		return err
	}
	if f.json {
		_, err := fmt.Fprintf(p.stdout, "%s\n", list)
		return err
	}
	return p.printIncidents(list)
}

// printIncidents prints a table.
func (p process) printIncidents(list []byte) error {
	var rows []incidentRow
	if err := json.Unmarshal(list, &rows); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(w, "ID\tPROJECT\tENVIRONMENT\tDEPLOYMENT\tSTARTED\tRESTORED\tFINISHED")
	for _, i := range rows {
		_, failure := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i.ID, i.ProjectID, i.Environment, orDash(i.DeploymentID),
			minute(i.StartedAt), minute(i.RestoredAt), minute(i.FinishedAt))
		err = errors.Join(err, failure)
	}
	return errors.Join(err, w.Flush())
}

// minute returns a date without seconds, in UTC.
func minute(date string) string {
	t, err := handlers.ParseTime(date)
	if err != nil {
		return orDash(date)
	}
	return t.Format("2006-01-02 15:04 UTC")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
