// Package rules decides what a command changes in what is stored. It is pure:
// the store loads what a batch of commands [Needs] into a [State], the commands
// are decided there one after the other, each seeing the effects of those
// before it, and the store writes the [Changes]. Nothing here does I/O or is
// safe for concurrent use.
package rules

import (
	"fmt"
	"runtime/debug"
)

// NeedsOf returns what must be loaded into a [State] before the commands can be
// decided.
func NeedsOf(commands ...Command) *Needs {
	n := &Needs{}
	n.Add(commands...)
	return n
}

// Add adds the needs of further commands.
func (n *Needs) Add(commands ...Command) {
	for _, c := range commands {
		c.needs(n)
	}
}

// Check returns an [Error] with the code Malformed when a name in one of the
// commands is not well formed, and nil otherwise.
func Check(commands ...Command) error {
	for _, c := range commands {
		if err := checkNames(c.names()); err != nil {
			return err
		}
	}
	return nil
}

// Do decides the commands in order, all or none: when one is refused, the state
// is as it was before the first. A refusal is an [Error]. A panic, such as one
// of a [TeamFunc], is an error too.
func (s *State) Do(commands ...Command) (outcomes []Outcome, err error) {
	before := s.mark()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
		if err != nil {
			outcomes = nil
			s.undo(before)
		}
	}()
	outcomes = make([]Outcome, 0, len(commands))
	for _, command := range commands {
		outcome, err := command.decide(s)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}
