package handlers

import (
	"context"
	"net/http"
	"time"
)

// How many large answers are in progress at once. Each takes memory in proportion
// to what is in it, until the client has read it.
const (
	maxScrapes     = 2 // such as of two Prometheus servers, which never wait for other clients
	maxExpositions = 1 // of /metrics for clients that are not scrapers
	maxSeries      = 2 // of /dora with groups or an interval
)

const (
	// gateTimeout bounds how long a request waits for its turn.
	gateTimeout = 10 * time.Second
	// A client that reads nothing for stallTimeout, or not everything within
	// answerTimeout, makes place for others.
	stallTimeout  = 5 * time.Second
	answerTimeout = time.Minute
)

// gate limits how many answers are in progress at once, first come, first served:
// senders to a channel are served in order.
type gate chan struct{}

// gates are those of one API.
type gates struct{ scrapes, expositions, series gate }

func newGates() gates {
	return gates{make(gate, maxScrapes), make(gate, maxExpositions), make(gate, maxSeries)}
}

// serve calls next when it is the turn of the request. The error is a 503 if its
// turn does not come.
func (g gate) serve(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter) error) error {
	ctx, cancel := context.WithTimeout(r.Context(), gateTimeout)
	defer cancel()
	select {
	case g <- struct{}{}:
		defer func() { <-g }()
	case <-ctx.Done():
		return unavailable("too many requests for large answers at once", ctx.Err())
	}
	return next(&impatientWriter{w, http.NewResponseController(w), time.Now().Add(answerTimeout)})
}

// impatientWriter fails if the client does not read.
type impatientWriter struct {
	http.ResponseWriter
	controller *http.ResponseController
	end        time.Time
}

// Write implements [io.Writer].
func (w *impatientWriter) Write(p []byte) (int, error) {
	deadline := time.Now().Add(stallTimeout)
	if deadline.After(w.end) {
		deadline = w.end
	}
	_ = w.controller.SetWriteDeadline(deadline) // not every writer of a test has one
	return w.ResponseWriter.Write(p)
}

// Unwrap gives [http.ResponseController] access to the wrapped writer.
func (w *impatientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
