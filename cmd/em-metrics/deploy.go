package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/ci"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/git"
	"github.com/em-metrics/em-metrics/handlers"
)

const deployRunHelp = `Runs a command that deploys, and records when it started and whether it succeeded. The
input, the output and the exit code are those of the command, and signals reach it. It is
never failed or held up by em-metrics: problems are warnings.

Usage:
  em-metrics deploy run [flags] -- COMMAND [ARGUMENT]...

Examples, with EM_METRICS_URL and EM_METRICS_TOKEN set as variables of the CI system:
  GitHub Actions       - run: em-metrics deploy run -environment production -- ./deploy.sh
  GitLab CI            script: ["em-metrics deploy run -- ./deploy.sh"]     in a job with an environment
  CircleCI             - run: em-metrics deploy run -environment production -- ./deploy.sh
  Jenkins              sh 'em-metrics deploy run -environment production -- ./deploy.sh'
  Buildkite            command: em-metrics deploy run -environment production -- ./deploy.sh
  Azure Pipelines      - script: em-metrics deploy run -- ./deploy.sh       in a deployment job
  Bitbucket Pipelines  script: ["em-metrics deploy run -- ./deploy.sh"]     in a step with a deployment
  Argo Workflows       args: [deploy, run, -id, "{{workflow.uid}}", -environment, production, --, ./deploy.sh]
  a shell              em-metrics deploy run -project shop -id "$(date +%s)" -- ./deploy.sh

` + deployFactsHelp

const deployStartHelp = `Records that a deployment has started, before the step or job that deploys. A later
"deploy finish" or "deploy abort" in the same run of the CI system records its end.

Usage:
  em-metrics deploy start [flags]

Example:
  em-metrics deploy start -environment production -soft

` + deployFactsHelp

const deployFinishHelp = `Records that the deployment has succeeded. It carries everything that "deploy start" does,
so that only the duration is lost if the start was not recorded.

Usage:
  em-metrics deploy finish [flags]

Example:
  em-metrics deploy finish -environment production -soft

` + deployFactsHelp

const deployAbortHelp = `Records that the deployment will not be deployed: its pipeline failed or was canceled. That is
not a failed change, and a run that succeeds later still counts.

Usage:
  em-metrics deploy abort [flags]

Example:
  em-metrics deploy abort -environment production -soft

` + deployFactsHelp

const deployRecordHelp = `Records a deployment in one call, after it has succeeded.

Usage:
  em-metrics deploy record [flags]

Examples:
  em-metrics deploy record -environment production
  em-metrics deploy record -project shop -id 42 -start 2026-01-31T11:50:00Z -at 2026-01-31T12:00:00Z

` + deployFactsHelp

const deployFactsHelp = `The project, the environment, the id, the commit and the user come from the variables of the CI
system, each replaced by its flag. The commits are those since the last deployment of the
project in the environment; git finds them, and a shallow clone is deepened if necessary. Where
they cannot be known, the deployment is recorded without a lead time, and the reason is printed.

EM_METRICS_URL is the address of the service. The token comes from EM_METRICS_TOKEN, or from the
file that EM_METRICS_TOKEN_FILE names.

Flags:
`

// defaultEnvironment is the environment of a job that does not name one.
const defaultEnvironment = "production"

const softFlagHelp = "exit with 0 and a warning if it cannot be recorded"

// deployFlags are the flags of the deploy commands.
type deployFlags struct {
	url, project, environment, id, commit, user string
	firstCommitAt, start, at                    string
	paths                                       []string
	noFetch, rework, rollback, soft, json       bool
	timeout                                     time.Duration
}

// newDeployFlags returns the flags that all deploy commands have.
func newDeployFlags(name string) (*flag.FlagSet, *deployFlags) {
	flags, f := flag.NewFlagSet(name, flag.ContinueOnError), &deployFlags{}
	flags.StringVar(&f.url, "url", "", "`address` of the service (default EM_METRICS_URL)")
	flags.StringVar(&f.project, "project", "", "`name` of the project (default: that of the repository)")
	flags.StringVar(&f.environment, "environment", "", "`name` of the environment (default: DEPLOYMENT_ENVIRONMENT, that of the job, or "+defaultEnvironment+")")
	flags.StringVar(&f.id, "id", "", "`id` of the deployment (default: that of the run)")
	flags.StringVar(&f.commit, "commit", "", "`revision` that is deployed (default: the commit of the run, or HEAD)")
	flags.StringVar(&f.user, "user", "", "`name` of the user, which may decide the team (default: who started the run)")
	flags.Func("first-commit-at", "`date` of the first commit, or unknown (default: git finds it)", func(s string) error {
		f.firstCommitAt = s
		if s == "unknown" {
			return nil
		}
		return checkDate(s)
	})
	flags.Func("path", "`folder` whose commits count, in a repository of several projects; repeatable", func(s string) error {
		f.paths = append(f.paths, s)
		return nil
	})
	flags.BoolVar(&f.noFetch, "no-fetch", false, "do not deepen a shallow clone")
	flags.BoolVar(&f.rework, "rework", false, "unplanned, because of an incident or a bug that users met")
	flags.BoolVar(&f.rollback, "rollback", false, "brings back an earlier version (default: the service recognizes it by the commit)")
	f.timeout = 10 * time.Second
	flags.Func("timeout", "`duration` in which everything must be recorded (default 10s)", func(s string) (err error) {
		if f.timeout, err = time.ParseDuration(s); err != nil || f.timeout <= 0 {
			return errors.New("must be a duration such as 30s")
		}
		return nil
	})
	return flags, f
}

// checkDate returns an error unless the API accepts the date.
func checkDate(s string) error {
	_, err := handlers.ParseTime(s)
	return err
}

// dateFlag defines a flag for a date in any format that the API accepts.
func dateFlag(flags *flag.FlagSet, dest *string, name, usage string) {
	flags.Func(name, "`date` when "+usage, func(s string) error {
		*dest = s
		return checkDate(s)
	})
}

// deployCommand is one of the commands that send one report.
type deployCommand struct {
	name, help string
	done       string // what is true then
	start, at  string // what the flags -start and -at mean; empty if there is no such flag
	report     func(*jobDeployment, context.Context) ([]byte, error)
}

func (p process) deployStart(ctx context.Context, args []string) error {
	return p.deployReport(ctx, args, deployCommand{"deploy start", deployStartHelp, "has started", "it started (default now)", "", (*jobDeployment).reportStart})
}

func (p process) deployFinish(ctx context.Context, args []string) error {
	return p.deployReport(ctx, args, deployCommand{"deploy finish", deployFinishHelp, "is deployed", "it started, if that was not recorded", "it was deployed (default now)", (*jobDeployment).reportFinish})
}

func (p process) deployAbort(ctx context.Context, args []string) error {
	return p.deployReport(ctx, args, deployCommand{"deploy abort", deployAbortHelp, "is aborted", "it started, if that was not recorded", "it ended (default now)", (*jobDeployment).reportAbort})
}

func (p process) deployRecord(ctx context.Context, args []string) error {
	return p.deployReport(ctx, args, deployCommand{"deploy record", deployRecordHelp, "is deployed", "it started (default: when the job did, if known)", "it was deployed (default now)", (*jobDeployment).reportRecord})
}

// deployReport runs a command that sends one report, and prints what is recorded.
func (p process) deployReport(ctx context.Context, args []string, c deployCommand) error {
	flags, f := newDeployFlags(c.name)
	flags.BoolVar(&f.soft, "soft", false, softFlagHelp)
	flags.BoolVar(&f.json, "json", false, "print what is recorded, as JSON")
	dateFlag(flags, &f.start, "start", c.start)
	if c.at != "" {
		dateFlag(flags, &f.at, "at", c.at)
	}
	if err := p.parseFlags(flags, args, c.help); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return p.wrongUsage(c.name, fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	recorded, d, err := p.sendReport(ctx, f, c)
	switch {
	case err != nil && f.soft:
		p.warn("the deployment was not recorded: %v", err)
		return nil
	case errors.Is(err, errMissing):
		return p.wrongUsage(c.name, err.Error())
	case err != nil:
		return err
	case f.json:
		_, err = p.stdout.Write(recorded)
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s: %s\n", d, c.done, d.brings())
	return err
}

// sendReport sends the report of a command, and returns what is recorded.
func (p process) sendReport(ctx context.Context, f *deployFlags, c deployCommand) ([]byte, *jobDeployment, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	d, err := p.newDeployment(ctx, f)
	if err != nil {
		return nil, d, err
	}
	recorded, err := d.send(ctx, c.report)
	if err != nil {
		err = fmt.Errorf("%s: %w", d, err)
	}
	return recorded, d, err
}

// errMissing means that neither flags nor variables say enough.
var errMissing = errors.New("not enough is known")

// newDeployment returns the deployment that the flags and the variables of the CI
// system describe.
func (p process) newDeployment(ctx context.Context, f *deployFlags) (*jobDeployment, error) {
	variables := env.ToMap(p.environ)
	run := ci.Read(variables)
	d := &jobDeployment{
		flags: f,
		git:   git.Repository{Environ: p.environ, NoFetch: f.noFetch},
		warn:  p.warn,
		now:   time.Now,
		ciRun: run,

		project:     cmp.Or(f.project, run.Project),
		environment: cmp.Or(f.environment, variables["DEPLOYMENT_ENVIRONMENT"], run.Environment, defaultEnvironment),
		run:         cmp.Or(f.id, run.ID),
		user:        cmp.Or(f.user, run.User),
	}
	if d.project == "" {
		d.project = d.git.RemoteName(ctx)
	}
	var missing []string
	if d.project == "" {
		missing = append(missing, "-project")
	}
	if d.run == "" {
		missing = append(missing, "-id")
	}
	if cmp.Or(f.url, variables["EM_METRICS_URL"]) == "" {
		missing = append(missing, "EM_METRICS_URL or -url")
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: set %s", errMissing, strings.Join(missing, ", "))
	}
	d.commit = d.findCommit(ctx)
	var err error
	d.client, err = p.newClientWith(f.url, func(error) {})
	return d, err
}

// warn prints a warning, in the way that the CI system shows it.
func (p process) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if env.ToMap(p.environ)["GITHUB_ACTIONS"] == "true" {
		// Shown on the page of the run. A line break would end it.
		text = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
		fmt.Fprintf(p.stderr, "::warning title=em-metrics::%s\n", text)
		return
	}
	fmt.Fprintf(p.stderr, "em-metrics: warning: %s\n", text)
}
