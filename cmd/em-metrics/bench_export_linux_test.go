package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// BenchmarkExport exports the year of a store with a million deployments, with a
// sample each day and every four minutes in the last one.
//
//	go test -run '^$' -bench Export -benchtime 1x ./cmd/em-metrics
func BenchmarkExport(b *testing.B) {
	path := filepath.Join(b.TempDir(), "million.db")
	fillStore(b, path, 2_000_000, 100)
	out := filepath.Join(b.TempDir(), "history.txt")
	for b.Loop() {
		command := exec.CommandContext(b.Context(), programtest.Binary(b), "export", "-format", "openmetrics", "-step", "24h", "-out", out)
		command.Env = []string{"SQLITE_DB=" + path}
		if output, err := command.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, output)
		}
		info, err := os.Stat(out)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB")
		b.ReportMetric(command.ProcessState.UserTime().Seconds(), "cpu-s")
		if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
			b.ReportMetric(float64(usage.Maxrss)/1024, "MiB")
		}
	}
}
