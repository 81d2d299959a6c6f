// Package e2e tests em-metrics together with real programs: Prometheus, the
// OpenTelemetry Collector and what Grafana and Alloy do.
package e2e

import (
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m) }
