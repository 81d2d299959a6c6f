package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/otel"
)

const serveHelp = `Runs the service, configured by the environment: see "em-metrics help".

Usage:
  em-metrics [serve]

Example:
  EM_METRICS_TOKEN_AUTH_FILE=token em-metrics
`

// serve runs the service until the context ends or the service fails, and then
// stops it.
func (p process) serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	if err := p.parseFlags(flags, args, serveHelp); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return p.wrongUsage("serve", fmt.Sprintf("unexpected argument %q", flags.Arg(0)))
	}
	c, err := loadConfig(p.environ)
	if err != nil {
		return err
	}
	// The service outlives whatever reads its log. By default a write to a closed
	// pipe on standard error ends the process.
	signal.Ignore(syscall.SIGPIPE)
	logger := c.logger(p.stderr)
	limitMemory(logger)
	for _, warning := range c.warnings() {
		logger.Warn(warning)
	}
	// The SDK reports failures outside of requests only here.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		logger.Error("metrics", "error", err)
	}))

	s := newService(c, logger)
	if err := s.start(ctx, p.reload); err != nil {
		return errors.Join(err, s.stop())
	}
	select {
	case <-ctx.Done():
		logger.Info("stopping", "timeout_seconds", c.ShutdownLimit.Seconds())
	case err = <-s.served:
		err = fmt.Errorf("serve: %w", err)
	}
	if err := errors.Join(err, s.stop()); err != nil {
		return err
	}
	logger.Info("stopped")
	return nil
}
