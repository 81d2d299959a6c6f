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

// readyTimeout is how long the write path may take before it counts as broken.
const readyTimeout = 3 * time.Second

//go:embed openapi.yaml
var openAPI []byte

type status struct {
	Status string `json:"status"`
}

func (a *api) health(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	return writeJSON(w, http.StatusOK, status{"ok"})
}

// ready answers 200 when an event could be stored now, which it tries.
func (a *api) ready(w http.ResponseWriter, r *http.Request, _ httprouter.Params) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	err := a.Store.Ready(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return unavailable(fmt.Sprintf("the store did not answer within %s", readyTimeout), err)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, status{"ready"})
}

func (a *api) openAPI(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // a client that has gone cannot be told
	return nil
}
