package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// requestDurations is the duration of requests in seconds, with the name, the
// attributes and the bounds of the OpenTelemetry semantic conventions
// (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/). Its count
// is the number of requests by route and status.
type requestDurations struct {
	histogram metric.Float64Histogram
	options   *sync.Map // the []metric.RecordOption of each series
}

// series holds the labels of a request. Their number is bounded: routes are those
// of the table, methods those of HTTP, and the status is ours.
type series struct {
	method, route string
	status        int
}

func newRequestDurations(meter metric.Meter) (requestDurations, error) {
	histogram, err := meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP requests."),
		metric.WithExplicitBucketBoundaries(
			0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	return requestDurations{histogram, &sync.Map{}}, err
}

func (d requestDurations) record(ctx context.Context, of series, took time.Duration) {
	options, known := d.options.Load(of)
	if !known {
		options, _ = d.options.LoadOrStore(of, []metric.RecordOption{metric.WithAttributeSet(of.attributes())})
	}
	d.histogram.Record(ctx, took.Seconds(), options.([]metric.RecordOption)...)
}

func (s series) attributes() attribute.Set {
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", s.method),
		attribute.Int("http.response.status_code", s.status),
	}
	if s.route != "" {
		attributes = append(attributes, attribute.String("http.route", s.route))
	}
	return attribute.NewSet(attributes...)
}

// instrument measures and logs every request of a route, and turns an error or a
// panic into a response.
func (a *api) instrument(pattern string, next handler) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		setDefaultHeaders(rec.Header())
		defer func() {
			if cause := recover(); cause != nil {
				a.answerPanic(rec, r, cause)
			}
			a.record(r, pattern, rec, time.Since(start))
			if rec.broken {
				panic(http.ErrAbortHandler)
			}
		}()
		if err := next(rec, r, p); err != nil {
			a.fail(rec, r, err)
		}
	}
}

// setDefaultHeaders sets the headers of every response, unless its handler replaces
// them: nothing is stored by browsers and proxies, because all of it changes and most
// of it requires a credential, and no browser guesses another type of content.
func setDefaultHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// answerPanic responds to a request whose handler panicked. A response that has
// started cannot be fixed: it is marked as broken, so that the connection is
// closed and the client does not mistake it for complete.
func (a *api) answerPanic(rec *recorder, r *http.Request, cause any) {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		rec.broken = true // intended, and net/http must see it
		return
	}
	a.Logger.ErrorContext(r.Context(), "handler panicked", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if rec.written {
		rec.status, rec.broken = http.StatusInternalServerError, true
		return
	}
	clear(rec.Header()) // it belongs to another response
	setDefaultHeaders(rec.Header())
	a.fail(rec, r, fmt.Errorf("panic: %v", cause))
}

// record measures and logs a request that has been answered.
func (a *api) record(r *http.Request, pattern string, rec *recorder, took time.Duration) {
	a.requests.record(r.Context(), series{knownMethod(r.Method), pattern, rec.status}, took)
	level := slog.LevelInfo
	switch strings.TrimPrefix(pattern, prefix) {
	case "/health", "/ready", "/metrics":
		level = slog.LevelDebug // probes and scrapes would drown out the rest
	}
	if !a.Logger.Enabled(r.Context(), level) {
		return
	}
	a.Logger.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", rec.status),
		slog.Float64("duration_seconds", took.Seconds()), slog.String("client", r.RemoteAddr))
}

// knownMethod bounds the values of the label, because a client may send any method.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}

// recorder records the status of a response.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
	broken  bool // the response has started and will not be completed
}

// WriteHeader records the status and passes it on.
func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write passes the bytes on.
func (r *recorder) Write(b []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(b)
}

// Unwrap gives [http.ResponseController] access to the wrapped writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
