package handlers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"
)

// readyTimeout is how long a write may take before the service is not ready.
const readyTimeout = 3 * time.Second

//go:embed openapi.yaml
var openAPI []byte

type status struct {
	Status string `json:"status"`
}

// health serves GET /health: always 200, while the process is alive.
func (a *api) health(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	return writeJSON(w, http.StatusOK, status{"ok"})
}

// ready serves GET /ready: 200 if a trial write succeeds, 503 with the reason if
// it fails or takes too long.
func (a *api) ready(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	err := a.Store.Ready(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return unavailable(fmt.Sprintf("the store did not respond within %s", readyTimeout), err)
	}
	if err != nil {
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
