package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/term"
)

// exitCode is the exit code of a command that was run. It has said itself what is
// wrong.
type exitCode int

// Error returns the code in words.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// deployRun runs a command and records it as a deployment.
func (p process) deployRun(ctx context.Context, args []string) error {
	flags, f := newDeployFlags("deploy run")
	if err := p.parseFlags(flags, args, deployRunHelp); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return p.wrongUsage("deploy run", "expected a command, such as -- ./deploy.sh")
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, append(passedOn(), interrupts()...)...)
	defer signal.Stop(signals)

	local, cancel := context.WithTimeout(ctx, localAnswer)
	defer cancel()
	d, err := p.newDeployment(local, f)
	if err != nil { // no reason not to deploy
		p.warn("the deployment is not recorded: %v", err)
		return p.runProgram(flags.Args(), signals)
	}
	called := time.Now()
	d.begin(ctx)
	d.flags.start = time.Now().UTC().Format(time.RFC3339Nano)
	spent := time.Since(called)
	err = p.runProgram(flags.Args(), signals)
	// A signal was for the command. Its end is recorded all the same.
	d.end(context.WithoutCancel(ctx), f.timeout-spent, err == nil)
	return err
}

// begin reports the start in half of the time that there is, or gives up early if
// nothing answers.
func (d *jobDeployment) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.flags.timeout/2)
	defer cancel()
	err := d.ask(ctx, firstAnswer)
	if err == nil {
		d.read(ctx)
		_, err = d.reportStart(ctx)
	}
	if err != nil {
		d.warn("the start of %s is not recorded: %v", d, err)
	}
}

// end reports whether the command succeeded, in the time that is left.
func (d *jobDeployment) end(ctx context.Context, left time.Duration, succeeded bool) {
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	report, event := (*jobDeployment).reportFinish, "the end"
	if !succeeded {
		report, event = (*jobDeployment).reportAbort, "the failure"
	}
	if _, err := d.send(ctx, report); err != nil {
		d.warn("%s of %s is not recorded: %v", event, d, err)
	} else if succeeded && d.unknown != "" {
		d.warn("%s has no lead time: %s", d, d.unknown)
	}
}

// runProgram runs a program with the input and the output of this process, and
// passes signals on to it. The error is an exitCode, nil if it succeeds.
func (p process) runProgram(args []string, signals <-chan os.Signal) error {
	select {
	case s := <-signals: // the job was canceled before its deployment began
		return exitCode(128 + number(s))
	default:
	}
	command := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // the user gives it, and decides when it ends
	command.Env, command.Stdin, command.Stdout, command.Stderr = p.environ, p.stdin, p.stdout, p.stderr
	if err := command.Start(); err != nil {
		fmt.Fprintf(p.stderr, "Error: start the command: %v\n", err)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return exitCode(127) // as a shell does
		}
		return exitCode(126)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case s := <-signals:
			if !p.onTerminal() || !slices.Contains(interrupts(), s) { // a terminal sends it to both
				_ = command.Process.Signal(s) // it may just have ended
			}
		case err := <-ended:
			return codeOf(command.ProcessState, err)
		}
	}
}

// onTerminal reports whether a user types.
func (p process) onTerminal() bool {
	f, ok := p.stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// codeOf returns the exit code of a program that has ended: as a shell does, 128 and
// the number of the signal for one that a signal has ended.
func codeOf(state *os.ProcessState, err error) error {
	switch code := state.ExitCode(); {
	case code > 0:
		return exitCode(code)
	case code < 0:
		return exitCode(128 + endedBy(state))
	case err != nil: // its output could not be passed on
		return exitCode(1)
	}
	return nil
}
