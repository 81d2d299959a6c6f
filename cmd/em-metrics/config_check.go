package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"time"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/handlers/catalog"
)

const configCheckHelp = `Checks the environment and the CONFIG file without starting the service. It changes
nothing, and may run beside the service.

Usage:
  em-metrics config check

The exit code is 0 if the service would start, and 1 if there are problems, all of which
are listed on standard error.
`

// lookupTimeout is how long finding the address of HOST may take.
const lookupTimeout = 5 * time.Second

func (p process) configCheck(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("config check", flag.ContinueOnError)
	if err := p.parseFlags(flags, args, configCheckHelp); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return p.wrongUsage("config check", fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	c, err := loadConfig(p.environ)
	for _, warning := range c.warnings() {
		fmt.Fprintf(p.stderr, "Warning: %s\n", warning)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "OK")
	return err
}

// checkResources returns an error for every setting that names something which
// this machine does not have.
func (c config) checkResources() (problems []error) {
	if err := checkHost(c.Host); err != nil {
		problems = append(problems, fmt.Errorf("  HOST is %q: must be an address of this machine, such as 0.0.0.0 or 127.0.0.1: %w", c.Host, err))
	}
	if err := db.CheckPath(c.Database); err != nil {
		problems = append(problems, fmt.Errorf("  SQLITE_DB: %w", err))
	}
	if _, err := catalog.Load(c.Teams); err != nil {
		problems = append(problems, fmt.Errorf("  CONFIG: %w", err))
	}
	return problems
}

// checkHost checks that this machine can listen on the address. It uses any port,
// because PORT may be in use by the running service.
func checkHost(host string) error {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	return listener.Close()
}
