package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// completions lists words that a user has typed, with the candidates for the last one.
var completions = []struct {
	typed []string
	want  string
}{
	{[]string{"rep"}, "replay"},
	{[]string{"de"}, "deploy"},
	{[]string{"deploy", ""}, "run start finish abort record"},
	{[]string{"deploy", "st"}, "start"},
	{[]string{"incident", "re"}, "restore"},
	{[]string{"help", "co"}, "config completion"},
	{[]string{"help", "config", ""}, "check"},
	{[]string{"replay", "-"}, "-sample -url"},
	{[]string{"deploy", "start", "-pro"}, "-project"},
	{[]string{"deploy", "run", "-soft", "-n"}, "-no-fetch"},
	{[]string{"deploy", "start", "-project", "-"}, ""},
	{[]string{"deploy", "start", "-rework", "-at"}, ""},
	{[]string{"deploy", "finish", "-rework", "-a"}, "-at"},
	{[]string{"deploy", "run", "--", "-"}, ""},
	{[]string{"serve", "-"}, ""},
	{[]string{"dance", ""}, ""},
	{[]string{"replay", "lines"}, ""},
}

func TestCompletionCandidates(t *testing.T) {
	for _, test := range completions {
		stdout, stderr, code := runIn(t, nil, append([]string{"completion", "--"}, test.typed...)...)
		if got := strings.Join(strings.Fields(stdout), " "); got != test.want || stderr != "" || code != 0 {
			t.Errorf("%q: got %q, want %q; exit code %d, %s", test.typed, got, test.want, code, stderr)
		}
	}
}

// shells are programs that load the script and print the candidates for the words in
// the arguments.
var shells = map[string]string{
	"bash": `source <(em-metrics completion bash)
COMP_WORDS=(em-metrics "$@"); COMP_CWORD=$#; _em_metrics; printf '%s\n' "${COMPREPLY[@]}"`,
	// Zsh completes only where it edits a line, so its functions are replaced.
	"zsh": `compdef() { : }; compadd() { print -l -- "${@:2}" }; _files() { : }
source <(em-metrics completion zsh)
words=(em-metrics "$@"); CURRENT=$#words; _em_metrics`,
	"fish": `em-metrics completion fish | source
complete -C "em-metrics $(string join ' ' -- $argv)" | string match -v -r '^(lines|/)'`,
}

func TestCompletionInShells(t *testing.T) {
	for shell, script := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if shell != "bash" {
				requireTool(t, shell)
			}
			dir := t.TempDir()
			for _, test := range completions {
				args := append([]string{"-c", script, shell}, test.typed...)
				if shell == "fish" {
					args = append([]string{"-c", script, "--"}, test.typed...)
				}
				command := exec.Command(shell, args...)
				command.Dir = dir
				command.Env = []string{fmt.Sprintf("PATH=%s:%s", filepath.Dir(programtest.Binary(t)), os.Getenv("PATH")), "HOME=" + dir}
				output, err := command.CombinedOutput()
				got := strings.Fields(string(output))
				if want := strings.Fields(test.want); strings.Join(sorted(got), " ") != strings.Join(sorted(want), " ") {
					t.Errorf("%q: got %q, want %q; %v", test.typed, got, want, err)
				}
			}
		})
	}
}

func sorted(words []string) []string {
	slices.Sort(words)
	return words
}
