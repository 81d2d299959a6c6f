// Command em-metrics records deployments and incidents and shows how well a
// team delivers, as metrics for Prometheus.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
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

// process is what the program is given by the system.
type process struct {
	args    []string
	environ []string
	reload  <-chan os.Signal
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
}

const usage = `em-metrics records deployments and incidents and shows them as DORA metrics.

Usage:
  em-metrics [serve]      run the service; its settings come from the environment
  em-metrics replay FILE  send the deployments and incidents of a file to a running service
  em-metrics sample       print a believable year of them, to try things out
  em-metrics migrate-legacy FILE
                          send those of the older Node service's database
  em-metrics healthcheck  ask the service on this machine whether it is alive
  em-metrics version      print the version
  em-metrics help         print this

"em-metrics COMMAND --help" tells more of a command.
`

// errUsage means that the command was called wrongly and that it has been said
// how to call it.
var errUsage = errors.New("wrong usage")

// run carries out the command that the arguments name and returns the exit
// code: 0 for success, 1 for failure, 2 for wrong usage.
func run(ctx context.Context, p process) int {
	err := p.command(ctx)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintf(p.stderr, "Error: %v\n", err)
	return 1
}

func (p process) command(ctx context.Context) error {
	name, args := "serve", p.args
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "serve":
		return p.serve(ctx, args)
	case "replay":
		return p.replay(ctx, args)
	case "migrate-legacy":
		return p.migrateLegacy(ctx, args)
	case "sample":
		return sample(args, p.stdout, p.stderr, time.Now())
	case "healthcheck":
		return p.healthcheck(ctx, args)
	case "version", "--version", "-version":
		_, err := fmt.Fprintln(p.stdout, currentBuild())
		return err
	case "help", "--help", "-help", "-h":
		_, err := fmt.Fprint(p.stdout, usage, "\n", environmentHelp())
		return err
	}
	fmt.Fprintf(p.stderr, "Error: %q is not a command\nTry:   em-metrics help\n", name)
	return errUsage
}

// parseFlags parses the flags of a command. Help goes to where it was asked
// for; a mistake is said in one line, with what to try.
func (p process) parseFlags(flags *flag.FlagSet, args []string, help string) error {
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
