// Command em-metrics records deployments and incidents and exposes DORA metrics
// for Prometheus.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	os.Exit(run(ctx, process{
		args: os.Args[1:], environ: os.Environ(), reload: reload,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}))
}

// process is what the operating system gives to the program.
type process struct {
	args    []string
	environ []string
	reload  <-chan os.Signal
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer

	// describe, if it is set, is called with the flags of a command, which then does
	// nothing else.
	describe func(*flag.FlagSet)
}

// command is a row of the table of commands.
type command struct {
	name    string // one word or more
	aliases []string
	usage   string // the name and its arguments, as help shows them
	summary string
	run     func(process, context.Context, []string) error
}

// commands is the table of commands, in the order of help.
func commands() []command {
	return []command{
		{"serve", nil, "[serve]", "run the service, configured by the environment", process.serve},
		{"replay", nil, "replay FILE", "send the deployments and incidents in a file to a running service", process.replay},
		{"sample", nil, "sample", "print a year of sample data", process.sample},
		{"export", nil, "export -format openmetrics", "write the metrics of the past, for promtool", process.export},
		{"migrate-legacy", nil, "migrate-legacy FILE", "send the data of the older Node service to a running service", process.migrateLegacy},
		{"config check", nil, "config check", "check the environment and the CONFIG file without starting", process.configCheck},
		{"deploy run", nil, "deploy run -- COMMAND", "run a command and record it as a deployment", process.deployRun},
		{"deploy start", nil, "deploy start", "record that a deployment has started", process.deployStart},
		{"deploy finish", nil, "deploy finish", "record that a deployment has succeeded", process.deployFinish},
		{"deploy abort", nil, "deploy abort", "record that a deployment has failed or was canceled", process.deployAbort},
		{"deploy record", nil, "deploy record", "record a deployment in one call", process.deployRecord},
		{"incident open", nil, "incident open", "record an incident", process.incidentOpen},
		{"incident restore", nil, "incident restore ID", "record that service was restored", process.incidentRestore},
		{"incident finish", nil, "incident finish ID", "record that an incident was closed", process.incidentFinish},
		{"incident list", nil, "incident list", "print the incidents", process.incidentList},
		{"healthcheck", nil, "healthcheck", "check that the service on this machine is alive", process.healthcheck},
		{"completion", nil, "completion SHELL", "print a script that completes commands in bash, zsh or fish", process.completion},
		{"version", []string{"--version", "-version"}, "version", "print the version", process.version},
		{"help", []string{"--help", "-help", "-h"}, "help [COMMAND]", "print this help, or that of a command", process.help},
	}
}

// errUsage means wrong usage that has been reported already.
var errUsage = errors.New("wrong usage")

// run runs the command that the arguments name, serve by default, and returns
// the exit code: 0 for success, 1 for failure, 2 for wrong usage, or that of the
// command that deploys.
func run(ctx context.Context, p process) int {
	err := p.runCommand(ctx)
	var code exitCode
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(p.stderr, "Error: %v\n", err)
	return 1
}

func (p process) runCommand(ctx context.Context) error {
	args := p.args
	if len(args) == 0 {
		args = []string{"serve"}
	}
	c, rest, err := p.findCommand(args)
	if err != nil {
		return err
	}
	return c.run(p, ctx, rest)
}

// findCommand returns the command that the arguments begin with, and the other
// arguments.
func (p process) findCommand(args []string) (c command, rest []string, err error) {
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c, args[len(words):], nil
		}
		if slices.Contains(c.aliases, args[0]) {
			return c, args[1:], nil
		}
	}
	problem := fmt.Sprintf("unknown command %q", args[0])
	if next := subcommands(args[0]); len(next) > 0 {
		problem = args[0] + " must be followed by " + strings.Join(next, ", ")
	}
	fmt.Fprintf(p.stderr, "Error: %s\nTry:   em-metrics help\n", problem)
	return command{}, nil, errUsage
}

// subcommands returns the second words of the commands that begin with a word.
func subcommands(word string) (next []string) {
	for _, c := range commands() {
		if first, second, ok := strings.Cut(c.name, " "); ok && first == word {
			next = append(next, second)
		}
	}
	return next
}

// parseFlags parses the flags of a command. It prints help on standard output if
// the arguments ask for it; a mistake is reported on one line, with what to try.
func (p process) parseFlags(flags *flag.FlagSet, args []string, help string) error {
	if p.describe != nil {
		p.describe(flags)
		return flag.ErrHelp
	}
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(p.stdout)
		fmt.Fprint(p.stdout, help)
		flags.PrintDefaults()
		return err
	}
	if err != nil {
		return p.wrongUsage(flags.Name(), err.Error())
	}
	return nil
}

func (p process) wrongUsage(command, problem string) error {
	fmt.Fprintf(p.stderr, "Error: %s\nTry:   em-metrics %s --help\n", problem, command)
	return errUsage
}
