package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// configCheckAsUser runs config check as a user without special permissions, and
// returns what it prints.
func configCheckAsUser(t *testing.T, database string) string {
	t.Helper()
	binary, err := os.Open(programtest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	// The user may not enter the folder of the program, so it is run as the first
	// extra file.
	command := exec.CommandContext(t.Context(), "/proc/self/fd/3", "config", "check")
	command.ExtraFiles = []*os.File{binary}
	command.Dir = "/"
	command.Env = []string{"EM_METRICS_NO_AUTH=true", "SQLITE_DB=" + database}
	if os.Geteuid() == 0 {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	output, _ := command.CombinedOutput() // the exit code is 1
	return string(output)
}

func TestMissingPermissions(t *testing.T) {
	folder, err := os.MkdirTemp("", "em-metrics-permissions") // unlike t.TempDir, in a folder that all users may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	file := filepath.Join(folder, "em-metrics.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name                 string
		folderMode, fileMode os.FileMode
		want                 string
	}{
		{"all permissions", 0o777, 0o666, "OK\n"},
		{"folder that cannot be written", 0o555, 0o666, "permission to create files in " + folder + ": change its owner (chown) or its mode (chmod)\n"},
		{"file that cannot be written", 0o777, 0o444, "permission to read and write " + file + ": change its owner (chown) or its mode (chmod)\n"},
		{"folder that cannot be entered", 0o000, 0o666, "permission to create files in " + folder + ": change its owner (chown) or its mode (chmod)\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.Chmod(file, test.fileMode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(folder, test.folderMode); err != nil {
				t.Fatal(err)
			}
			got := configCheckAsUser(t, file)
			if err := os.Chmod(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if got, want := configCheckAsUser(t, filepath.Join(folder, "inner", "x.db")), "permission to enter "+filepath.Join(folder, "inner"); !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
