package main

import (
	"context"
	"fmt"
	"text/tabwriter"
)

// help prints the commands and the environment variables.
func (p process) help(context.Context, []string) error {
	fmt.Fprint(p.stdout, "em-metrics records deployments and incidents and exposes them as DORA metrics.\n\nUsage:\n")
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(w, "  em-metrics %s\t%s\n", c.usage, c.summary)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print help: %w", err)
	}
	_, err := fmt.Fprint(p.stdout, "\nRun \"em-metrics COMMAND --help\" for more about a command.\n\n", environmentHelp())
	return err
}
