package main

import (
	"syscall"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// The service continues if whatever reads its log ends.
func TestServiceOutlivesReaderOfLog(t *testing.T) {
	s := programtest.StartService(t)
	s.CloseOutput()
	for n := range 3 { // each request is logged
		s.Deploy("shop", n)
	}
	if got := s.Metrics()[`deployment_frequency_total{environment="NO_ENV", project_id="shop"}`]; got != 3 {
		t.Errorf("%v deployments are counted, want 3", got)
	}
	if err := s.Stop(syscall.SIGTERM); err != nil {
		t.Errorf("the service ended with %v, want exit code 0", err)
	}
}
