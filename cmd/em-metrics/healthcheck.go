package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"time"
)

const healthcheckHelp = `Checks that the service on this machine is alive. No credentials are needed.

Usage:
  em-metrics healthcheck

The exit code is 0 if /health answers at the HOST and PORT in the environment.
`

// healthcheckTimeout is shorter than the timeout that containers usually have.
const healthcheckTimeout = 3 * time.Second

func (p process) healthcheck(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	if err := p.parseFlags(flags, args, healthcheckHelp); err != nil {
		return err
	}
	url, err := healthURL(p.environ)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	if err := checkHealth(ctx, url); err != nil {
		return fmt.Errorf("check %s: %w", url, err)
	}
	return nil
}

// checkHealth returns an error unless the URL answers 200.
func checkHealth(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}
