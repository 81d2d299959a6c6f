package programtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that should take a moment.
const patience = 30 * time.Second

// Process is a running program. Its methods are safe for concurrent use, apart
// from those that end the test.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	reader *os.File // the end of the pipe that the output is read from
	exited chan struct{}
	err    error // of the exit; valid once exited is closed

	mu      sync.Mutex
	output  bytes.Buffer
	changed chan struct{} // closed and replaced with every line of output
}

// Start starts a program that is killed when the test ends, if not before. Its
// output is part of the log of a test that fails.
func Start(t testing.TB, path string, args, env []string) *Process {
	t.Helper()
	p := &Process{t: t, exited: make(chan struct{}), changed: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), path, args...) // the context of the test ends before its cleanup
	p.cmd.Env = env
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.reader, p.cmd.Stdout, p.cmd.Stderr = output, input, input
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	go p.read()
	t.Cleanup(func() {
		_ = p.Stop(syscall.SIGKILL)
		if t.Failed() {
			all := p.Output()
			t.Logf("output of %s:\n%s", filepath.Base(path), all[max(0, len(all)-10_000):])
		}
	})
	return p
}

// read keeps the output and waits for the program to end.
func (p *Process) read() {
	defer p.reader.Close()
	for scanner := bufio.NewScanner(p.reader); scanner.Scan(); {
		p.mu.Lock()
		p.output.WriteString(scanner.Text() + "\n")
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
	p.err = p.cmd.Wait()
	close(p.exited)
}

// CloseOutput stops reading the output: the program writes to a broken pipe.
func (p *Process) CloseOutput() {
	if err := p.reader.Close(); err != nil {
		p.t.Errorf("close the output of %s: %v", p.cmd.Path, err)
	}
}

// Output returns everything that the program has printed so far.
func (p *Process) Output() string {
	output, _ := p.snapshot()
	return output
}

// snapshot returns the output so far and a channel that is closed when there is
// more.
func (p *Process) snapshot() (output string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String(), p.changed
}

// WaitFor waits until the output matches the pattern, and returns its first
// group, or the whole match if it has none.
func (p *Process) WaitFor(pattern string) string {
	p.t.Helper()
	expression := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for ended := false; ; {
		output, changed := p.snapshot()
		if match := expression.FindStringSubmatch(output); match != nil {
			return match[min(1, len(match)-1)]
		}
		if ended {
			p.t.Fatalf("%s ended (%v) without printing %s", p.cmd.Path, p.err, pattern)
		}
		select {
		case <-changed:
		case <-p.exited:
			ended = true
		case <-timeout:
			p.t.Fatalf("%s did not print %s within %s", p.cmd.Path, pattern, patience)
		}
	}
}

// Signal sends a signal. A program that has ended ignores it.
func (p *Process) Signal(signal os.Signal) {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("send %s to %s: %v", signal, p.cmd.Path, err)
	}
}

// Stop sends a signal and waits for the program to end. It returns an error
// unless the exit code is 0.
func (p *Process) Stop(signal os.Signal) error {
	p.Signal(signal)
	return p.Wait()
}

// Wait waits for the program to end. It returns an error unless the exit code
// is 0.
func (p *Process) Wait() error {
	<-p.exited
	return p.err
}

// PID returns the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// CPUTime returns how long the program has computed. It must have ended.
func (p *Process) CPUTime() time.Duration {
	<-p.exited
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Eventually calls try until it returns nil. The test fails if it never does
// within the limit.
func Eventually(t testing.TB, limit time.Duration, try func() error) {
	t.Helper()
	timeout := time.After(limit)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("after %s: %v", limit, err)
		}
	}
}
