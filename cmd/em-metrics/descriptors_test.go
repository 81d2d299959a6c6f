package main

import (
	"fmt"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

func TestConnectionLimit(t *testing.T) {
	for descriptors, want := range map[uint64]int{
		0: 1, 20: 10, 64: 32, 128: 64, 1024: 960, 2111: 2047, 2112: 2048, 1 << 20: 2048, math.MaxUint64: 2048,
	} {
		if got := connectionLimit(descriptors); got != want {
			t.Errorf("connectionLimit(%d) is %d, want %d", descriptors, got, want)
		}
	}
}

// Clients that keep more connections open than there are file descriptors keep
// nobody out: the service closes idle connections, and has descriptors left for
// its database.
func TestIdleConnectionsLeaveFileDescriptors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no limit on file descriptors")
	}
	s := programtest.StartWrappedService(t, []string{"/bin/sh", "-c", `ulimit -n 64 && exec "$0"`})
	for n := range 100 {
		requestHealth(t, s, n)
	}
	s.Deploy("shop", 1)
	if got := s.Metrics()[`deployment_frequency_total{environment="NO_ENV", project_id="shop"}`]; got != 1 {
		t.Errorf("%v deployments are counted, want 1", got)
	}
	s.WaitFor("level=ERROR msg=\"the connection limit is reached")
}

// requestHealth requests /health over a connection that stays open until the test
// ends.
func requestHealth(t *testing.T, s *programtest.Service, n int) {
	t.Helper()
	connection, err := net.DialTimeout("tcp", s.Address, 5*time.Second)
	if err != nil {
		t.Fatalf("connection %d: %v", n, err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(connection, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatalf("connection %d: %v", n, err)
	}
	answer := make([]byte, 1024)
	if read, err := connection.Read(answer); err != nil || !strings.HasPrefix(string(answer[:read]), "HTTP/1.1 200") {
		t.Fatalf("connection %d: /health answered %q (%v)", n, answer[:read], err)
	}
}
