package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/caarlos0/env/v11"
)

const healthcheckHelp = `Asks the service on this machine whether it is alive. It needs no credential.

Usage:
  em-metrics healthcheck

It exits with 0 if the service answers /health, at HOST and PORT of the environment.
`

// healthcheckTimeout is shorter than the timeout that containers usually give.
const healthcheckTimeout = 3 * time.Second

func (p process) healthcheck(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	if err := p.parseFlags(flags, args, healthcheckHelp); err != nil {
		return err
	}
	var c config // not checked as a whole: this needs no credential and no file
	if err := env.ParseWithOptions(&c, env.Options{Environment: env.ToMap(p.environ)}); err != nil {
		return fmt.Errorf("read HOST and PORT: %w", err)
	}
	host := c.Host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(int(c.Port))) + "/health"
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: it answered %s", url, response.Status)
	}
	return nil
}
