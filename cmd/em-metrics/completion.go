package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
)

const completionHelp = `Prints a script that completes commands and flags in a shell.

Usage:
  em-metrics completion bash|zsh|fish

Examples:
  source <(em-metrics completion bash)        in ~/.bashrc
  source <(em-metrics completion zsh)         in ~/.zshrc, after compinit
  em-metrics completion fish | source         in ~/.config/fish/config.fish
`

// The scripts ask the program for the candidates, so that they are those of the
// installed version. Where there are none, the shell completes the names of files.
const (
	bashCompletion = `_em_metrics() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <("${COMP_WORDS[0]}" completion -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _em_metrics em-metrics
`
	zshCompletion = `#compdef em-metrics
_em_metrics() {
  local -a candidates
  candidates=("${(@f)$("${words[1]}" completion -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$candidates" ]]; then compadd -- "${candidates[@]}"; else _files; fi
}
compdef _em_metrics em-metrics
`
	fishCompletion = `function __em_metrics
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  $words[1] completion -- $words[2..] "$current" 2>/dev/null
end
complete -c em-metrics -a '(__em_metrics)'
`
)

// completion prints a script or, after --, what can stand in place of the last word.
func (p process) completion(ctx context.Context, args []string) error {
	if len(args) > 1 && args[0] == "--" {
		for _, candidate := range p.candidates(ctx, args[1:]) {
			fmt.Fprintln(p.stdout, candidate)
		}
		return nil
	}
	flags := flag.NewFlagSet("completion", flag.ContinueOnError)
	if err := p.parseFlags(flags, args, completionHelp); err != nil {
		return err
	}
	script, ok := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[flags.Arg(0)]
	if !ok || flags.NArg() > 1 {
		return p.wrongUsage("completion", "expected a shell: bash, zsh or fish")
	}
	_, err := fmt.Fprint(p.stdout, script)
	return err
}

// candidates returns what can stand in place of the last word.
func (p process) candidates(ctx context.Context, words []string) (found []string) {
	before, current := words[:len(words)-1], words[len(words)-1]
	if len(before) > 0 && before[0] == "help" {
		before = before[1:]
	}
	for _, c := range commands() {
		name := strings.Fields(c.name)
		n := min(len(name), len(before))
		if !slices.Equal(name[:n], before[:n]) {
			continue
		}
		if len(before) >= len(name) {
			return p.flagsOf(ctx, c, before[len(name):], current)
		}
		if next := name[n]; strings.HasPrefix(next, current) && !slices.Contains(found, next) {
			found = append(found, next)
		}
	}
	return found
}

// flagsOf returns the flags of a command that begin with the current word. There are
// none after -- and where the value of a flag is expected.
func (p process) flagsOf(ctx context.Context, c command, before []string, current string) (found []string) {
	if !strings.HasPrefix(current, "-") || slices.Contains(before, "--") {
		return nil
	}
	p.describe = func(flags *flag.FlagSet) {
		if len(before) > 0 && takesValue(flags.Lookup(strings.TrimLeft(before[len(before)-1], "-"))) {
			return
		}
		flags.VisitAll(func(f *flag.Flag) {
			if strings.HasPrefix("-"+f.Name, current) {
				found = append(found, "-"+f.Name)
			}
		})
	}
	_ = c.run(p, ctx, nil) // it ends when it has described its flags
	return found
}

// takesValue reports whether the word after a flag is its value.
func takesValue(f *flag.Flag) bool {
	if f == nil {
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}
