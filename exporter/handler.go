package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/em-metrics/em-metrics/db"
)

// Handler serves /metrics. It answers 503 until every stored event has been
// applied and whenever the store cannot be read: a total is complete or absent.
// A scraper sees a new series at zero during the hold; any other client, such
// as a person with curl, sees the current values.
func (e *Exporter) Handler() http.Handler {
	declaring := &declaringGatherer{Gatherer: &windowsGatherer{e.registry, e.windows}, fold: e.fold}
	live := e.handlerFor(declaring)
	held := e.handlerFor(newHeldGatherer(declaring, e.fold, e.hold))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.fold.complete.Load() {
			writeUnavailable(w, "event replay is still in progress")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), catchUpTimeout)
		defer cancel()
		if err := e.fold.catchUp(ctx); err != nil {
			e.logger.ErrorContext(r.Context(), "cannot serve metrics", "error", err)
			writeUnavailable(w, "the event store cannot be read"+reason(err))
			return
		}
		if isScraper(r) {
			held.ServeHTTP(w, r)
			return
		}
		live.ServeHTTP(w, r)
	})
}

// isScraper reports whether the request comes from Prometheus or a compatible
// agent.
func isScraper(r *http.Request) bool {
	return r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds") != ""
}

// reason returns what the store says of an error that concerns all of it.
func reason(err error) string {
	if store := (*db.Error)(nil); errors.As(err, &store) {
		return ": " + store.Message
	}
	return ""
}

func writeUnavailable(w http.ResponseWriter, reason string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, fmt.Sprintf("metrics unavailable: %s", reason), http.StatusServiceUnavailable)
}

func (e *Exporter) handlerFor(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := g.Gather()
		return withoutDuplicates(families), err
	}), promhttp.HandlerOpts{
		ErrorLog:          slog.NewLogLogger(e.logger.Handler(), slog.LevelError),
		ErrorHandling:     promhttp.ContinueOnError,
		Registry:          e.registry,
		EnableOpenMetrics: true,
	})
}

// withoutDuplicates omits a family that would share its name with a counter in
// OpenMetrics, where families of counters are named without "_total". The Go
// runtime has one: go_memstats_alloc_bytes, which is the same as
// go_memstats_heap_alloc_bytes.
func withoutDuplicates(families []*dto.MetricFamily) []*dto.MetricFamily {
	counters := map[string]bool{}
	for _, f := range families {
		if name, isTotal := strings.CutSuffix(f.GetName(), "_total"); isTotal && f.GetType() == dto.MetricType_COUNTER {
			counters[name] = true
		}
	}
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return counters[f.GetName()] })
}
