//go:build unix

package main

import (
	"os"
	"syscall"
)

// interrupts are the signals that a terminal sends to the command as well.
func interrupts() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGQUIT} }

// passedOn are the other signals that the command receives from this process.
func passedOn() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}
}

// number returns the number of a signal.
func number(s os.Signal) int {
	n, _ := s.(syscall.Signal) // it is one here
	return int(n)
}

// endedBy returns the number of the signal that ended a process, or 0.
func endedBy(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return int(status.Signal())
	}
	return 0
}
