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
	options   *sync.Map // of series to their []metric.RecordOption, made once
}

// series is what the duration of a request is recorded under. There are only
// so many: routes and methods are known ones, and we choose the status.
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

// observed measures and logs every request of a route and turns its error, or
// its panic, into an answer.
func (a *api) observed(pattern string, next handler) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			if cause := recover(); cause != nil {
				a.recovered(rec, r, cause)
			}
			a.observe(r, pattern, rec, time.Since(start))
			if rec.broken {
				panic(http.ErrAbortHandler)
			}
		}()
		if err := next(rec, r, p); err != nil {
			a.fail(rec, r, err)
		}
	}
}

// recovered answers a request whose handler panicked. An answer that had begun
// cannot be mended: it is marked as broken, so that the connection is cut and
// the client does not take what it has for all of it.
func (a *api) recovered(rec *recorder, r *http.Request, cause any) {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		rec.broken = true // on purpose, and net/http wants to see it
		return
	}
	a.Logger.ErrorContext(r.Context(), "panic in a handler", "cause", cause, "stack", string(debug.Stack()))
	if rec.written {
		rec.status, rec.broken = http.StatusInternalServerError, true
		return
	}
	clear(rec.Header()) // it was made for another answer
	a.fail(rec, r, fmt.Errorf("panic: %v", cause))
}

func (a *api) observe(r *http.Request, pattern string, rec *recorder, took time.Duration) {
	a.requests.record(r.Context(), series{knownMethod(r.Method), pattern, rec.status}, took)
	level := slog.LevelInfo
	switch strings.TrimPrefix(pattern, prefix) {
	case "/health", "/ready", "/metrics":
		level = slog.LevelDebug // a line every few seconds would bury the others
	}
	if !a.Logger.Enabled(r.Context(), level) {
		return
	}
	a.Logger.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", rec.status),
		slog.Duration("duration", took), slog.String("client", r.RemoteAddr))
}

// knownMethod bounds the label: a client may send any word as its method.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
	broken  bool // the answer began and will not be complete
}

// WriteHeader remembers the status and passes it on.
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

// Unwrap gives http.ResponseController what is below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
