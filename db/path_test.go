package db

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, want string }{
		"new file":               {filepath.Join(folder, "new.db"), ""},
		"existing file":          {file, ""},
		"missing folder":         {filepath.Join(folder, "a", "b", "x.db"), "the folder " + filepath.Join(folder, "a", "b") + " does not exist: create it, or mount its volume"},
		"folder":                 {folder, folder + " is a folder: name a file in it, such as " + filepath.Join(folder, "em-metrics.db")},
		"file instead of folder": {filepath.Join(file, "x.db"), file + " is a file, not a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := CheckPath(test.path); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want == "" {
				return
			}
			if _, err := Open(t.Context(), test.path, Options{}); err == nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("Open: got %v, want %s", err, test.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(folder, "a")); err == nil {
		t.Error("the missing folder was created")
	}
}
