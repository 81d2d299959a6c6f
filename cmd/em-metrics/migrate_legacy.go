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

	"github.com/em-metrics/em-metrics/handlers"
)

const migrateLegacyHelp = `Sends the deployments and incidents of the SQLite file of the older Node service to a
running em-metrics. The file is only read. Sending it again changes nothing.

Usage:
  em-metrics migrate-legacy [flags] FILE

Examples:
  em-metrics migrate-legacy -dry-run old.db
  em-metrics migrate-legacy -environment production old.db

What had to be repaired or left out is said on standard error, row by row, and counted at
the end. The credential comes from EM_METRICS_TOKEN_AUTH, or EM_METRICS_BASIC_AUTH_USERNAME
and EM_METRICS_BASIC_AUTH_PASSWORD, or from the file that <NAME>_FILE names.

Flags:
`

// legacyMigration is one run of the command.
type legacyMigration struct {
	*legacyPlan
	client   *client
	stdout   io.Writer
	stderr   io.Writer
	terminal bool

	created, refused int
	shown            time.Time
}

func (p process) migrateLegacy(ctx context.Context, args []string) error {
	rules := legacyRules{now: time.Now()}
	flags := flag.NewFlagSet("migrate-legacy", flag.ContinueOnError)
	address := flags.String("url", "", "`address` of the service (default EM_METRICS_URL, or http://localhost:$PORT)")
	dryRun := flags.Bool("dry-run", false, "read and report, send nothing")
	flags.StringVar(&rules.environment, "environment", "", "`name` of the environment, of which the older service knew nothing (default the service's)")
	flags.BoolVar(&rules.countInstant, "count-instant", false,
		"count a deployment that took no time as deployed; without this it is one that was never finished, as the older service stored those")
	flags.BoolVar(&rules.firstCommitFromStart, "first-commit-from-start", false,
		"keep a deployment without a usable first commit, with its start instead: its lead time is then too short")
	if err := p.parseFlags(flags, args, migrateLegacyHelp); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return p.wrongUsage("migrate-legacy", "name one file: the database of the older service")
	}
	client, err := newClient(p.environ, *address)
	if err != nil {
		return err
	}
	store, err := readLegacy(ctx, flags.Arg(0))
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s holds %d deployments and %d incidents\n",
		filepath.Base(flags.Arg(0)), len(store.deployments), len(store.incidents))
	m := &legacyMigration{
		legacyPlan: planLegacy(store, rules), client: client,
		stdout: p.stdout, stderr: p.stderr, terminal: isTerminal(p.stderr),
	}
	if !*dryRun {
		err = m.send(ctx)
	}
	m.report(store, *dryRun)
	if err == nil && m.refused > 0 {
		err = fmt.Errorf("%d of %d were refused; the others are stored", m.refused, len(m.requests))
	}
	return err
}

// send sends every request. One that is refused is reported and the next ones
// go on; when the service cannot be reached the rest would fail too.
func (m *legacyMigration) send(ctx context.Context) error {
	start := time.Now()
	sent := 0
	defer func() {
		m.progress("")
		fmt.Fprintf(m.stdout, "sent %d of %d in %s: %d of them new, %d refused\n",
			sent, len(m.requests), time.Since(start).Round(time.Millisecond), m.created, m.refused)
	}()
	for _, request := range m.requests {
		created, err := m.post(ctx, request)
		var refusal *refusal
		switch {
		case errors.As(err, &refusal):
			m.refused++
			m.progress("")
			fmt.Fprintf(m.stderr, "%s: refused: %v\n", request.row, refusal)
		case err != nil:
			return fmt.Errorf("%s: %w", request.row, err)
		case created:
			m.created++
		}
		sent++
		if m.terminal && time.Since(m.shown) > 200*time.Millisecond {
			m.shown = time.Now()
			m.progress(fmt.Sprintf("%d of %d sent", sent, len(m.requests)))
		}
	}
	return nil
}

// post sends a request. An id that the older service made up for an incident
// may be one that this service has made up for another since: the older one
// then gets a name of its own, which is the same in every run.
func (m *legacyMigration) post(ctx context.Context, request legacyRequest) (created bool, err error) {
	created, err = m.client.post(ctx, request.path, request.body)
	incident, ok := request.body.(handlers.IncidentRequest)
	generated := ok && strings.HasPrefix(request.row.id, "incident_"+request.row.project+"_")
	var refusal *refusal
	if !generated || !errors.As(err, &refusal) || !strings.Contains(refusal.reason, "; started_at is already recorded as") {
		return created, err
	}
	id := "legacy_" + request.row.id
	incident.ID = &id
	if created, err = m.client.post(ctx, request.path, incident); err == nil {
		m.repaired(request.row, "another incident has its id: recorded as legacy_ and its id", id)
	}
	return created, err
}

// progress says on a terminal how far the migration is.
func (m *legacyMigration) progress(text string) {
	if m.terminal {
		fmt.Fprintf(m.stderr, "\r\x1b[K%s", text)
	}
}

// report lists what was repaired or left out row by row, and then how many of
// each sort there are.
func (m *legacyMigration) report(s legacyStore, dryRun bool) {
	leftOut := map[legacyRow]bool{}
	for _, n := range m.notes {
		leftOut[n.row] = leftOut[n.row] || n.leftOut
	}
	counts, order := map[string]int{}, []string(nil)
	for _, n := range m.notes {
		if leftOut[n.row] && !n.leftOut {
			continue // what was repaired before does not matter
		}
		outcome := "repaired"
		if n.leftOut {
			outcome = "left out"
		}
		detail := ""
		if n.detail != "" {
			detail = " (" + n.detail + ")"
		}
		fmt.Fprintf(m.stderr, "%s: %s: %s%s\n", n.row, outcome, n.reason, detail)
		key := outcome + ", " + n.row.kind + ": " + n.reason
		if counts[key]++; counts[key] == 1 {
			order = append(order, key)
		}
	}
	for _, key := range order {
		fmt.Fprintf(m.stdout, "%6d %s\n", counts[key], key)
	}
	m.reportRest(s)
	if dryRun {
		fmt.Fprintf(m.stdout, "%d would be sent; this was a dry run, and nothing was\n", len(m.requests))
	}
}

// reportRest says what of the older data has no place here.
func (m *legacyMigration) reportRest(s legacyStore) {
	teams := 0
	for _, i := range s.incidents {
		if i.team != "" {
			teams++
		}
	}
	if teams > 0 {
		fmt.Fprintf(m.stdout, "%6d incidents named a team: the teams file of the service decides instead\n", teams)
	}
	for _, t := range s.others {
		fmt.Fprintf(m.stdout, "%6d rows of %s stay behind: em-metrics records deployments and incidents\n", t.rows, t.name)
	}
}
