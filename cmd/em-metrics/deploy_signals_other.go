//go:build !unix

package main

import "os"

// interrupts are the signals that a terminal sends to the command as well.
func interrupts() []os.Signal { return []os.Signal{os.Interrupt} }

// passedOn are the other signals that the command receives from this process: there
// are none here.
func passedOn() []os.Signal { return nil }

// number returns the number that an interrupt has elsewhere.
func number(os.Signal) int { return 2 }

// endedBy returns the number of the signal that ended a process: there are none here.
func endedBy(*os.ProcessState) int { return 0 }
