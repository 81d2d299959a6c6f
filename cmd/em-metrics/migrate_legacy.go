package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/client"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/legacy"
	"github.com/em-metrics/em-metrics/db"
)

const migrateLegacyHelp = `Sends the deployments and incidents in the SQLite file of the older Node service to a
running em-metrics. The file is opened read-only. Sending it again changes nothing.

Usage:
  em-metrics migrate-legacy [flags] FILE

Examples:
  em-metrics migrate-legacy -dry-run old.db
  em-metrics migrate-legacy -environment production old.db

Each row that is repaired, skipped or unclear is reported on standard error, and the
totals on standard output.

The older service leaves its newest rows in FILE-wal when it is stopped, so copy both
files.

` + credentialsHelp + `
Flags:
`

// migration is one run of the command.
type migration struct {
	*legacy.Plan
	client   *client.Client
	stdout   io.Writer
	stderr   io.Writer
	progress *progress

	sent, created, rejected int
}

func (p process) migrateLegacy(ctx context.Context, args []string) error {
	options := legacy.Options{Now: time.Now()}
	flags := flag.NewFlagSet("migrate-legacy", flag.ContinueOnError)
	address := flags.String("url", "", urlFlagHelp)
	dryRun := flags.Bool("dry-run", false, "read and report, but send nothing")
	flags.StringVar(&options.Environment, "environment", "", "`name` of the environment, which the older service did not record (default the service's)")
	flags.BoolVar(&options.CountInstant, "count-instant", false,
		"count a deployment that took no time as deployed; by default it is unfinished, because the older service stored those so")
	flags.BoolVar(&options.CloseUnfinished, "close-unfinished", false,
		"close incidents that are not finished at their last known date: the older service did not store it when an incident was finished without a date")
	withoutLog := flags.Bool("without-wal", false, "read the database although its -wal file is missing")
	flags.BoolVar(&options.FirstCommitFromStart, "first-commit-from-start", false,
		"keep a deployment without a usable first commit and use its start instead, which makes its lead time too short")
	if err := p.parseFlags(flags, args, migrateLegacyHelp); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return p.wrongUsage("migrate-legacy", "expected one file: the database of the older service")
	}
	if err := db.CheckName(options.Environment); options.Environment != "" && err != nil {
		return p.wrongUsage("migrate-legacy", "-environment "+err.Error())
	}
	c, err := p.newClient(*address)
	if err != nil {
		return err
	}
	database, err := legacy.Read(ctx, flags.Arg(0), *withoutLog)
	var missing *legacy.MissingLogError
	if errors.As(err, &missing) {
		return fmt.Errorf("%w\nTry:   copy that file too or, if there is none beside the original, use -without-wal", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s holds %d deployments and %d incidents\n",
		filepath.Base(flags.Arg(0)), len(database.Deployments), len(database.Incidents))
	m := &migration{
		Plan: legacy.NewPlan(database, options), client: c,
		stdout: p.stdout, stderr: p.stderr, progress: newProgress(p.stderr),
	}
	if !*dryRun {
		err = m.send(ctx)
	}
	m.reportNotes()
	m.reportIgnored(database)
	if *dryRun {
		fmt.Fprintf(m.stdout, "%d would be sent; nothing was, because this is a dry run\n", len(m.Requests))
	}
	if err == nil && m.rejected > 0 {
		err = fmt.Errorf("%d of %d were rejected; the others are stored", m.rejected, len(m.Requests))
	}
	return err
}

// send sends every request and reports how many were stored. A rejected request
// is reported and skipped; any other error ends the migration, because the
// remaining requests would fail too.
func (m *migration) send(ctx context.Context) error {
	start := time.Now()
	err := m.sendAll(ctx)
	m.progress.clear()
	fmt.Fprintf(m.stdout, "sent %d of %d in %s: %d new, %d rejected\n",
		m.sent, len(m.Requests), time.Since(start).Round(time.Millisecond), m.created, m.rejected)
	return err
}

func (m *migration) sendAll(ctx context.Context) error {
	for _, request := range m.Requests {
		created, err := m.sendOne(ctx, request)
		var rejected *client.RejectedError
		switch {
		case errors.As(err, &rejected):
			m.rejected++
			m.progress.clear()
			fmt.Fprintf(m.stderr, "%s: rejected: %v\n", request.Row, rejected)
		case err != nil:
			return fmt.Errorf("%s: %w", request.Row, err)
		case created:
			m.created++
		}
		m.sent++
		m.progress.show("%d of %d sent", m.sent, len(m.Requests))
	}
	return nil
}

// sendOne sends a request. An id that the older service generated for an
// incident may be in use here for another incident: the older one then gets an
// id of its own, which is the same in every run.
func (m *migration) sendOne(ctx context.Context, request legacy.Request) (created bool, err error) {
	if request.Deployment != nil {
		return m.client.RecordDeployment(ctx, *request.Deployment)
	}
	incident := *request.Incident
	created, err = m.client.RecordIncident(ctx, incident)
	generated := strings.HasPrefix(request.Row.ID, "incident_"+request.Row.Project+"_")
	var rejected *client.RejectedError
	if !generated || !errors.As(err, &rejected) || !rejected.ConflictsOn("started_at") {
		return created, err
	}
	id := "legacy_" + request.Row.ID
	incident.ID = &id
	if created, err = m.client.RecordIncident(ctx, incident); err == nil {
		m.Repaired(request.Row, "another incident has its id: recorded with the prefix legacy_", id)
	}
	return created, err
}

// reportNotes lists the notes row by row, and then the number of rows for each
// reason.
func (m *migration) reportNotes() {
	skipped := map[legacy.Row]bool{}
	for _, n := range m.Notes {
		skipped[n.Row] = skipped[n.Row] || n.Outcome == legacy.Skipped
	}
	counts, order := map[string]int{}, []string(nil)
	for _, n := range m.Notes {
		if skipped[n.Row] && n.Outcome != legacy.Skipped {
			continue // a row that was repaired first and then skipped
		}
		detail := ""
		if n.Detail != "" {
			detail = " (" + n.Detail + ")"
		}
		fmt.Fprintf(m.stderr, "%s: %s: %s%s\n", n.Row, n.Outcome, n.Reason, detail)
		key := string(n.Outcome) + ", " + n.Row.Kind + ": " + n.Reason
		if counts[key]++; counts[key] == 1 {
			order = append(order, key)
		}
	}
	for _, key := range order {
		fmt.Fprintf(m.stdout, "%6d %s\n", counts[key], key)
	}
}

// reportIgnored counts the older data that has no counterpart in em-metrics.
func (m *migration) reportIgnored(database legacy.Database) {
	teams := 0
	for _, i := range database.Incidents {
		if i.Team != "" {
			teams++
		}
	}
	if teams > 0 {
		fmt.Fprintf(m.stdout, "%6d ignored, team of an incident: the teams file of the service determines it\n", teams)
	}
	for _, t := range database.Others {
		fmt.Fprintf(m.stdout, "%6d ignored, row of %s: em-metrics records deployments and incidents\n", t.Rows, t.Name)
	}
}
