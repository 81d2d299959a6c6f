package handlers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/em-metrics/em-metrics/db"
	"github.com/em-metrics/em-metrics/exporter"
	"github.com/em-metrics/em-metrics/handlers"
)

// function returns the handler that a serverless platform calls for each request.
// Between two calls the process may be frozen, so the metrics are pushed before a
// call ends.
func function(store *db.Store, metrics *exporter.Exporter, logger *slog.Logger) (http.Handler, error) {
	api, err := handlers.New(handlers.Options{
		Store: store, Metrics: metrics.Handler(), Meter: metrics.Meter(),
		Auth: handlers.Auth{Token: "a-token"}, Environment: "production", Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r)
		// A failed push loses nothing, because the next one has the same totals.
		if err := metrics.ForceFlush(r.Context()); err != nil {
			logger.WarnContext(r.Context(), "push", "error", err)
		}
	}), nil
}

// The API is an [http.Handler], so it can also be a serverless function. The store
// and the exporter are created once, when the process starts; the database must be
// on a volume that outlives the process.
func ExampleNew_serverless() {
	var pushed atomic.Bool
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		pushed.Store(err == nil && bytes.Contains(body, []byte("deployment_frequency")))
	}))
	defer collector.Close()
	folder, err := os.MkdirTemp("", "em-metrics")
	check(err)
	defer os.RemoveAll(folder)

	ctx, logger := context.Background(), slog.New(slog.DiscardHandler)
	store, err := db.Open(ctx, filepath.Join(folder, "em-metrics.db"), db.Options{})
	check(err)
	defer store.Close()
	metrics, err := exporter.New(ctx, store, exporter.Options{
		ServiceName: "em_metrics", CollectorURL: collector.URL, Logger: logger,
	})
	check(err)
	defer func() { check(metrics.Shutdown(ctx)) }()
	check(metrics.CatchUp(ctx)) // apply the events stored before
	call, err := function(store, metrics, logger)
	check(err)

	r := httptest.NewRequest(http.MethodPost, "/deployments/42/deployed", strings.NewReader(
		`{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-02-27", "deployed_at": "2026-03-04"}`))
	r.Header.Set("Authorization", "Bearer a-token")
	w := httptest.NewRecorder()
	call.ServeHTTP(w, r)
	fmt.Println(w.Code, "pushed:", pushed.Load())
	fmt.Println(w.Body)
	// Output:
	// 201 pushed: true
	// {"id":"42","project_id":"shop","environment":"production","team_id":null,"first_commit_at":"2026-02-27T00:00:00.000Z","deploy_start_at":null,"deployed_at":"2026-03-04T00:00:00.000Z","rework":false}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
