package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/db/dora"
	"github.com/em-metrics/em-metrics/exporter"
	"github.com/em-metrics/em-metrics/handlers"
	"github.com/em-metrics/em-metrics/handlers/catalog"
)

// The limits of the HTTP server on one connection or request.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// The shares of the time limit for stopping. Everything else stops at once.
const (
	requestsShare = 0.5 // for requests in progress
	pushShare     = 0.5 // for the last push: a collector may hang
)

// service is the running service. Its parts are started in the order of the
// data (store, exporter, handlers) and stopped in the opposite order.
type service struct {
	stopper
	config   config
	logger   *slog.Logger
	listener net.Listener
	teams    *catalog.Catalog
	store    *db.Store
	exporter *exporter.Exporter
	served   chan error  // receives the error that ended the HTTP server
	reloaded atomic.Bool // the last reload of the teams file succeeded
}

func newService(c config, logger *slog.Logger) *service {
	s := &service{stopper: stopper{limit: c.ShutdownLimit}, config: c, logger: logger, served: make(chan error, 1)}
	s.reloaded.Store(true)
	return s
}

// start starts every part. The caller must call stop, also after an error. The
// context ends the background work; reload receives a value when the teams file
// is to be read again.
func (s *service) start(ctx context.Context, reload <-chan os.Signal) error {
	if err := s.loadTeams(); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.openStore(ctx); err != nil {
		return err
	}
	if err := s.startExporter(ctx); err != nil {
		return err
	}
	s.logger.Info("em-metrics is listening", "address", s.listener.Addr().String(), "database", s.store.Path(),
		"authentication", s.config.authSummary(), "push", redactedURL(s.config.CollectorURL),
		"connection_limit", connectionLimit(descriptorLimit()), "memory_limit", memoryLimit(), "version", currentBuild().Version)
	s.startBackgroundWork(ctx, reload)
	return s.startServer()
}

func (s *service) loadTeams() (err error) {
	if s.teams, err = catalog.Load(s.config.Teams); err != nil {
		return fmt.Errorf("CONFIG: %w", err)
	}
	s.warnOfIgnoredKeys()
	return nil
}

// warnOfIgnoredKeys logs the keys of the teams file that have no effect.
func (s *service) warnOfIgnoredKeys() {
	if keys := s.teams.Ignored(); len(keys) > 0 {
		s.logger.Warn("the teams file has keys of the older service, which have no effect", "keys", strings.Join(keys, ", "))
	}
}

// listen comes before the store, so that a second service on the same port never
// touches the database.
func (s *service) listen(ctx context.Context) (err error) {
	address := net.JoinHostPort(s.config.Host, strconv.Itoa(int(s.config.Port)))
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
		return fmt.Errorf("listen on HOST and PORT: %w", err)
	}
	s.onStop(0, func(context.Context) error {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) { // the server closes it first
			return err
		}
		return nil
	})
	return nil
}

// production returns the environments that count as production by the environment
// and by the CONFIG file in use.
func (s *service) production() dora.Environments {
	return append(slices.Clone(dora.Environments(s.config.Production)), s.teams.Production()...)
}

func (s *service) openStore(ctx context.Context) (err error) {
	if s.store, err = db.Open(ctx, s.config.Database, db.Options{IgnoreRollbacks: !bool(s.config.Rollbacks)}); err != nil {
		return fmt.Errorf("SQLITE_DB: %w", err)
	}
	s.onStop(0, func(context.Context) error { return s.store.Close() })
	return nil
}

func (s *service) startExporter(ctx context.Context) (err error) {
	c, build := s.config, currentBuild()
	s.exporter, err = exporter.New(ctx, s.store, exporter.Options{
		ServiceName: c.ServiceName, ServiceVersion: build.Version, Revision: build.Revision,
		Environment: c.Environment, CollectorURL: c.CollectorURL,
		Production: s.production,
		SeriesHold: c.SeriesHold, LabelSetLimit: c.LabelSetLimit, Windows: c.Windows, Logger: s.logger,
	})
	if err != nil {
		return err
	}
	s.onStop(pushShare, func(ctx context.Context) error {
		if err := s.exporter.Shutdown(ctx); err != nil {
			s.logger.Warn("the last push failed; the first push after the next start makes up for it", "error", err)
		}
		return nil
	})
	return s.observeReload()
}

// startBackgroundWork starts what runs beside the requests until the context
// ends or the service stops.
func (s *service) startBackgroundWork(ctx context.Context, reload <-chan os.Signal) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { s.catchUp(ctx) })
	work.Go(func() { s.reloadTeams(ctx, reload) })
	s.onStop(0, func(context.Context) error {
		cancel()
		work.Wait()
		return nil
	})
}

func (s *service) startServer() error {
	api, err := handlers.New(handlers.Options{
		Store: s.store, Metrics: s.exporter.Handler(), Meter: s.exporter.Meter(), Catalog: s.teams, Production: s.production,
		Auth: s.config.auth(), Environment: s.config.Environment, Build: currentBuild(), Logger: s.logger,
	})
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: api, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	limited := newLimitedListener(s.listener, connectionLimit(descriptorLimit()), server.SetKeepAlivesEnabled, s.logger)
	go func() { s.served <- server.Serve(limited) }()
	s.onStop(requestsShare, func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			s.logger.Warn("some requests did not finish in time", "error", err)
			return server.Close()
		}
		return nil
	})
	// A request that waits for another process's lock would wait in vain.
	s.onStop(0, func(context.Context) error {
		s.store.BeginClose()
		return nil
	})
	return nil
}

// catchUp replays the stored events into the exporter, retrying until it has
// succeeded once, and creates the series of the configured projects.
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
		s.logger.Error("event replay failed; retrying", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
	s.declareProjects(ctx)
	s.logger.Info("event replay finished", "duration_seconds", time.Since(start).Seconds())
}

func (s *service) declareProjects(ctx context.Context) {
	for _, p := range s.teams.Projects() {
		s.exporter.Declare(ctx, p.ID, s.config.Environment, p.Team)
	}
}

// reloadTeams reloads the teams file for every value received. A file that
// cannot be used changes nothing.
func (s *service) reloadTeams(ctx context.Context, reload <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
		}
		if s.config.Teams == "" {
			s.logger.Warn("nothing to reload: CONFIG is not set")
			continue
		}
		err := s.teams.Reload()
		s.reloaded.Store(err == nil)
		if err != nil {
			s.logger.Error("reloading the teams failed; the previous ones remain in use", "error", err)
			continue
		}
		s.declareProjects(ctx)
		s.warnOfIgnoredKeys()
		s.logger.Info("teams reloaded")
	}
}

func (s *service) observeReload() error {
	_, err := s.exporter.Meter().Int64ObservableGauge("em_metrics.config.last_reload_successful",
		metric.WithDescription("Whether the last reload of the teams file succeeded."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			var successful int64
			if s.reloaded.Load() {
				successful = 1
			}
			o.Observe(successful)
			return nil
		}))
	if err != nil {
		return fmt.Errorf("create the instrument em_metrics.config.last_reload_successful: %w", err)
	}
	return nil
}

// redactedURL returns the address of the collector without its password.
func redactedURL(address string) string {
	if address == "" {
		return "none"
	}
	u, err := url.Parse(address)
	if err != nil {
		return "invalid"
	}
	return u.Redacted()
}
