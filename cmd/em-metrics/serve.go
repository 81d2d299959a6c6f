package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
	"github.com/em-metrics/em-metrics/handlers"
	"github.com/em-metrics/em-metrics/handlers/catalog"
)

const serveHelp = `Runs the service. Its settings come from the environment: see "em-metrics help".

Usage:
  em-metrics [serve]

Example:
  EM_METRICS_TOKEN_AUTH_FILE=token em-metrics
`

// The limits of a request that the server itself enforces.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // bytes
)

// pushLimit bounds the last push: a collector that hangs must not delay the
// end.
const pushLimit = 5 * time.Second

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
	logger := c.logger(p.stderr)
	// The SDK reports what happens between requests only here.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		logger.Error("metrics", "error", err)
	}))
	s, err := newService(ctx, c, logger)
	if err != nil {
		return err
	}
	return s.run(ctx, p)
}

// service is the running parts, in the order of the data: store, exporter,
// handlers.
type service struct {
	config   config
	logger   *slog.Logger
	store    *db.Store
	teams    *catalog.Catalog
	exporter *exporter.Exporter
	listener net.Listener
	server   *http.Server
	reloaded atomic.Bool // the last reading of the teams file succeeded
}

func newService(ctx context.Context, c config, logger *slog.Logger) (s *service, err error) {
	s = &service{config: c, logger: logger}
	s.reloaded.Store(true)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if s.teams, err = catalog.Load(c.Teams); err != nil {
		return s, fmt.Errorf("CONFIG: %w", err)
	}
	address := net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
		return s, fmt.Errorf("listen on HOST and PORT: %w", err)
	}
	if s.store, err = db.Open(ctx, c.Database, db.Options{}); err != nil {
		return s, fmt.Errorf("SQLITE_DB: %w", err)
	}
	build := currentBuild()
	s.exporter, err = exporter.New(ctx, s.store, exporter.Options{
		ServiceName: c.ServiceName, ServiceVersion: build.Version, Revision: build.Revision,
		Environment: c.Environment, CollectorURL: c.CollectorURL,
		SeriesHold: c.SeriesHold, LabelSetLimit: c.LabelSetLimit, Windows: c.Windows, Logger: logger,
	})
	if err != nil {
		return s, err
	}
	if err := s.observeReload(); err != nil {
		return s, err
	}
	api, err := handlers.New(handlers.Options{
		Store: s.store, Metrics: s.exporter.Handler(), Meter: s.exporter.Meter(), Catalog: s.teams,
		Auth: c.auth(), Environment: c.Environment, Build: build, Logger: logger,
	})
	if err != nil {
		return s, err
	}
	s.server = &http.Server{
		Handler: api, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// run serves until the context ends, and then stops: no new requests, those
// under way to their end, the last push, the store.
func (s *service) run(ctx context.Context, p process) error {
	build := currentBuild()
	s.logger.Info("em-metrics is listening", "address", s.listener.Addr().String(), "database", s.store.Path(),
		"authentication", s.config.authInForce(), "push", pushTarget(s.config.CollectorURL), "version", build.Version)

	working, stopWork := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { s.catchUp(working) })
	work.Go(func() { s.reloadTeams(working, p) })
	served := make(chan error, 1)
	work.Go(func() { served <- s.server.Serve(s.listener) })

	var err error
	select {
	case <-ctx.Done():
		s.logger.Info("stopping", "limit", s.config.ShutdownLimit.String())
	case err = <-served:
		err = fmt.Errorf("serve: %w", err)
	}
	stopWork()
	err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
	work.Wait()
	if err == nil {
		s.logger.Info("stopped")
	}
	return err
}

// close ends what newService began, in the opposite order.
func (s *service) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.ShutdownLimit)
	defer cancel()
	var errs []error
	switch {
	case s.server != nil:
		if err := s.server.Shutdown(ctx); err != nil {
			s.logger.Warn("some requests did not end in time", "error", err)
			errs = append(errs, s.server.Close())
		}
	case s.listener != nil:
		errs = append(errs, s.listener.Close())
	}
	if s.exporter != nil {
		pushing, cancel := context.WithTimeout(ctx, pushLimit)
		defer cancel()
		if err := s.exporter.Shutdown(pushing); err != nil {
			s.logger.Warn("the last push failed: the next start makes up for it", "error", err)
		}
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

// catchUp reads the stored events, until it has succeeded once, and makes the
// series of the configured projects.
func (s *service) catchUp(ctx context.Context) {
	start := time.Now()
	for {
		err := s.exporter.CatchUp(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		s.logger.Error("the stored events cannot be read yet", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
	s.declareProjects(ctx)
	s.logger.Info("the stored events are read", "duration", time.Since(start).String())
}

func (s *service) declareProjects(ctx context.Context) {
	for _, p := range s.teams.Projects() {
		s.exporter.Declare(ctx, p.ID, s.config.Environment, p.Team)
	}
}

func (s *service) reloadTeams(ctx context.Context, p process) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.reload:
		}
		err := s.teams.Reload()
		s.reloaded.Store(err == nil)
		if err != nil {
			s.logger.Error("the teams were not read again: those from before stay in force", "error", err)
			continue
		}
		s.declareProjects(ctx)
		s.logger.Info("the teams were read again")
	}
}

func (s *service) observeReload() error {
	_, err := s.exporter.Meter().Int64ObservableGauge("em_metrics.config.last_reload_successful",
		metric.WithDescription("Whether the last reading of the teams file succeeded."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			var successful int64
			if s.reloaded.Load() {
				successful = 1
			}
			o.Observe(successful)
			return nil
		}))
	if err != nil {
		return fmt.Errorf("make instrument em_metrics.config.last_reload_successful: %w", err)
	}
	return nil
}

// pushTarget is the address of the collector without a password in it.
func pushTarget(address string) string {
	if address == "" {
		return "none"
	}
	u, err := url.Parse(address)
	if err != nil {
		return "unreadable"
	}
	return u.Redacted()
}
