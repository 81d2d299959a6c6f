package handlers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/em-metrics/em-metrics/db"
)

const (
	// readyTimeout is how long a write may take before the service is not ready.
	readyTimeout = 3 * time.Second
	// readyInterval is how soon after a trial write there is another.
	readyInterval = time.Second
)

//go:embed openapi.yaml
var openAPI []byte

type status struct {
	Status string `json:"status"`
}

// health serves GET /health: always 200, while the process is alive.
func (a *api) health(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	return writeJSON(w, http.StatusOK, status{"ok"})
}

// readiness is the result of the latest trial write. It needs no credential to ask
// for, so it is shared by all who ask within [readyInterval].
type readiness struct {
	mu      sync.Mutex // held during a trial write, so that others wait for its result
	checked time.Time  // when it ended
	err     error
}

// check returns whether the store can be written to, by a trial write unless the
// latest one ended less than [readyInterval] ago.
func (v *readiness) check(ctx context.Context, store *db.Store) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	// A clock that was set back makes the age negative.
	if age := store.Now().Sub(v.checked); age >= 0 && age < readyInterval {
		return v.err
	}
	// The result is not only for the client that asked first, who may disconnect.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	v.err = store.Ready(ctx)
	if errors.Is(v.err, context.DeadlineExceeded) {
		v.err = unavailable(fmt.Sprintf("the store did not respond within %s", readyTimeout), v.err)
	}
	v.checked = store.Now()
	return v.err
}

// ready serves GET /ready: 200 if a trial write succeeded less than a second ago,
// 503 with the reason if it failed or took too long.
func (a *api) ready(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	if err := a.readiness.check(r.Context(), a.Store); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, status{"ready"})
}

// openAPI serves GET /openapi.yaml: 200 with the description of the API.
func (a *api) openAPI(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // an error means that the client is gone
	return nil
}
