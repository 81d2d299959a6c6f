package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/ci"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/client"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/git"
	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers"
)

const (
	// localAnswer limits the git commands that need no network, and firstAnswer the
	// wait of "deploy run" for a service that does not answer at all. Together they
	// delay a deployment by less than a second.
	localAnswer = 300 * time.Millisecond
	firstAnswer = 500 * time.Millisecond

	maxRepeats = 1_000 // of one run
	lookBack   = 50    // deployments, to find the last one of another run
)

// jobDeployment is the deployment that a job reports.
type jobDeployment struct {
	flags  *deployFlags
	client *client.Client
	git    git.Repository
	warn   func(format string, args ...any)
	now    func() time.Time
	ciRun  ci.Run

	project, environment, user string
	run                        string // the id of the CI system's run
	commit                     string // empty if it is unknown

	// What ask finds out.
	asked bool
	id    string             // that of the run, or with the number of the repetition
	since *client.Deployment // the last one of another run; nil if there is none
	// What read finds out.
	commits       []handlers.CommitRequest // nil if they are unknown
	firstCommitAt string
	unknown       string // why there is no first commit
}

// String names the deployment in messages.
func (d *jobDeployment) String() string {
	return fmt.Sprintf("deployment %s of %s in %s", cmp.Or(d.id, d.run), d.project, d.environment)
}

// brings says what the deployment brings.
func (d *jobDeployment) brings() string {
	switch {
	case d.unknown != "":
		return "the lead time is unknown: " + d.unknown
	case d.commits == nil:
		return "the first commit is of " + d.firstCommitAt
	case len(d.commits) == 0:
		return "no new commits since deployment " + d.since.ID
	case len(d.commits) == 1:
		return fmt.Sprintf("1 commit since deployment %s, of %s", d.since.ID, d.firstCommitAt)
	}
	return fmt.Sprintf("%d commits since deployment %s, the first of %s", len(d.commits), d.since.ID, d.firstCommitAt)
}

// findCommit returns the commit that is deployed: its full hash if this clone has
// it, otherwise its name, and "" if nothing is known of it.
func (d *jobDeployment) findCommit(ctx context.Context) string {
	name := cmp.Or(d.flags.commit, d.ciRun.Commit)
	if hash, err := d.git.Resolve(ctx, cmp.Or(name, "HEAD")); err == nil {
		return hash
	}
	return name
}

// send finds out what is to be said of the deployment, and reports it.
func (d *jobDeployment) send(ctx context.Context, report func(*jobDeployment, context.Context) ([]byte, error)) ([]byte, error) {
	if !d.asked {
		if err := d.ask(ctx, d.flags.timeout); err != nil {
			return nil, err
		}
		d.read(ctx)
	}
	return report(d, ctx)
}

// ask asks the service which deployment this is, and which one came before it. The
// ids of a run are N, N.2, N.3 and so on: a run that is repeated is the deployment it
// was before, unless another one has been deployed since. It gives up if the service
// has not answered at all within the limit.
func (d *jobDeployment) ask(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(limit, func() { cancel(fmt.Errorf("no answer within %s", limit)) })
	defer timer.Stop()
	deployed, err := d.client.Deployed(ctx, d.project, d.environment, lookBack)
	if err != nil {
		return fmt.Errorf("ask for the last deployment: %w", err)
	}
	timer.Stop()
	own := map[string]bool{}
	for n := 1; n <= maxRepeats; n++ {
		id := d.run
		if n > 1 {
			id += "." + strconv.Itoa(n)
		}
		known, found, err := d.client.Deployment(ctx, d.project, d.environment, id)
		if err != nil {
			return fmt.Errorf("ask for deployment %s: %w", id, err)
		}
		if n > 1 && found && known.Commit != d.commit {
			continue // 1.2 is not a repetition of 1, if these are versions
		}
		own[id] = true
		isLive := len(deployed) > 0 && deployed[0].ID == id
		if d.id = id; !found || known.DeployedAt == "" || isLive {
			break
		}
	}
	for i := range deployed {
		if !own[deployed[i].ID] {
			d.since = &deployed[i]
			break
		}
	}
	d.asked = true
	return nil
}

// read reads from git which commits the deployment brings. It never fails: what
// cannot be known is unknown.
func (d *jobDeployment) read(ctx context.Context) {
	switch {
	case d.flags.firstCommitAt == "unknown":
		d.unknown = "so it was given"
		return
	case d.flags.firstCommitAt != "":
		d.firstCommitAt = d.flags.firstCommitAt
		return
	case d.commit == "":
		d.unknown = "the commit that is deployed is not known; -commit sets it"
		return
	case d.since == nil:
		d.unknown = "this is the first deployment of " + d.project + " in " + d.environment
		return
	case d.since.Commit == "":
		d.unknown = "no commit is recorded for the last deployment, " + d.since.ID
		return
	}
	deadline, ok := ctx.Deadline()
	if ok { // the report needs time too
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	found, err := d.git.Commits(ctx, d.since.Commit, d.commit, d.flags.paths)
	if err != nil {
		d.unknown = err.Error()
		return
	}
	d.setCommits(found)
}

// setCommits keeps the commits and the date of the first.
func (d *jobDeployment) setCommits(found []git.Commit) {
	d.commits = make([]handlers.CommitRequest, 0, len(found))
	var first time.Time
	for _, c := range found {
		if c.At.Year() < 1970 || c.At.After(d.now().Add(db.ClockTolerance)) { // the service takes no such date
			d.commits, d.unknown = nil, fmt.Sprintf("commit %s is of %s", c.SHA, c.At.Format(time.RFC3339))
			return
		}
		d.commits = append(d.commits, handlers.CommitRequest{SHA: c.SHA, At: c.At.Format(time.RFC3339)})
		if first.IsZero() || c.At.Before(first) {
			first = c.At
		}
	}
	if len(found) > 0 {
		d.firstCommitAt = first.Format(time.RFC3339)
	}
	if len(found) > db.MaxCommits { // a request has no room for them, but the first is known
		d.commits = nil
	}
}

// facts returns what every report says.
func (d *jobDeployment) facts() handlers.DeploymentRequest {
	q := handlers.DeploymentRequest{
		ID: &d.id, ProjectID: &d.project, Environment: &d.environment, Commit: optional(d.commit), Commits: d.commits,
		DeployStartAt: optional(d.flags.start), Rework: handlers.Flag(d.flags.rework),
		Rollback: handlers.OptionalFlag{V: d.flags.rollback, Valid: d.flags.rollback}, User: d.user,
	}
	if d.commits == nil {
		q.FirstCommitAt = handlers.NullableDate{Text: optional(d.firstCommitAt), Null: d.firstCommitAt == ""}
	}
	return q
}

// optional returns nil for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// reportStart reports the start. The service takes its own time unless one is given,
// so that a repetition does not contradict.
func (d *jobDeployment) reportStart(ctx context.Context) ([]byte, error) {
	return d.client.Start(ctx, d.facts())
}

// reportFinish reports that it is deployed, and all that the start does.
func (d *jobDeployment) reportFinish(ctx context.Context) ([]byte, error) {
	q := d.facts()
	q.DeployedAt = optional(d.flags.at)
	return d.client.Finish(ctx, q)
}

// reportRecord reports a deployment in one call. The job has deployed it.
func (d *jobDeployment) reportRecord(ctx context.Context) ([]byte, error) {
	d.flags.start = cmp.Or(d.flags.start, d.ciRun.Start)
	return d.reportFinish(ctx)
}

// reportAbort reports that it will not be deployed.
func (d *jobDeployment) reportAbort(ctx context.Context) ([]byte, error) {
	return d.client.Abort(ctx, d.facts(), optional(d.flags.at))
}
