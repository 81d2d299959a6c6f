package main

import (
	"context"
	"fmt"
	"text/tabwriter"
)

// help prints the help of the command that the arguments name, or else the
// commands and the environment variables.
func (p process) help(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return p.commandHelp(ctx, args)
	}
	fmt.Fprint(p.stdout, "em-metrics records deployments and incidents and exposes them as DORA metrics.\n\nUsage:\n")
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(w, "  em-metrics %s\t%s\n", c.usage, c.summary)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print help: %w", err)
	}
	_, err := fmt.Fprint(p.stdout, "\nRun \"em-metrics help COMMAND\" for more about a command.\n\n", environmentHelp())
	return err
}

func (p process) commandHelp(ctx context.Context, args []string) error {
	c, rest, err := p.findCommand(args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return p.wrongUsage("help", fmt.Sprintf("unexpected argument %q", rest[0]))
	case c.name == "help":
		return p.help(ctx, nil)
	}
	return c.run(p, ctx, []string{"--help"})
}
