package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler serves /metrics. It answers 503 until every stored event has been
// applied and whenever the store cannot be read: a total is complete or absent.
// A scraper sees a young series at zero for the hold; anybody else, such as a
// person with curl, sees the values as they are.
func (e *Exporter) Handler() http.Handler {
	declaring := &declaringGatherer{Gatherer: &windowsGatherer{e.registry, e.windows}, fold: e.fold}
	straight := e.handlerFor(declaring)
	held := e.handlerFor(newHeldGatherer(declaring, e.fold, e.hold))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.fold.complete.Load() {
			unavailable(w, "the stored events are still being read")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), catchUpTimeout)
		defer cancel()
		if err := e.fold.catchUp(ctx); err != nil {
			e.logger.ErrorContext(r.Context(), "no metrics", "error", err)
			unavailable(w, "the stored events cannot be read")
			return
		}
		if scraper(r) {
			held.ServeHTTP(w, r)
			return
		}
		straight.ServeHTTP(w, r)
	})
}

// scraper tells whether the request comes from Prometheus or an agent that
// scrapes like it.
func scraper(r *http.Request) bool {
	return r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds") != ""
}

func unavailable(w http.ResponseWriter, reason string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, fmt.Sprintf("no metrics now: %s", reason), http.StatusServiceUnavailable)
}

func (e *Exporter) handlerFor(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorLog:          slog.NewLogLogger(e.logger.Handler(), slog.LevelError),
		ErrorHandling:     promhttp.ContinueOnError,
		Registry:          e.registry,
		EnableOpenMetrics: true,
	})
}
