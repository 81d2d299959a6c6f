package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// requireTool skips the test where .ci/blocks has not installed what it needs.
func requireTool(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("EM_METRICS_BLOCKS") == "" {
		t.Skip("run .ci/blocks, which installs what this test needs")
	}
	if _, err := exec.LookPath(name); err != nil {
		t.Fatal(err)
	}
}

// githubRun is the workflow of the README.
func githubRun(t *testing.T) string {
	return "on: push\n" + snippet(t, "yaml", "actions/checkout")
}

// githubSteps is that workflow with the steps of docs/ci.md.
func githubSteps(t *testing.T) string {
	job, _, _ := strings.Cut(githubRun(t), "      - uses: em-metrics")
	return job + snippetOf(t, "docs/ci.md", "yaml", "cancelled()")
}

// act runs the workflow on this machine, as the run with that id.
func (b *block) act(id string) (output string, succeeded bool) {
	b.t.Helper()
	action, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		b.t.Fatal(err)
	}
	args := []string{"push", "-P", "ubuntu-latest=-self-hosted", "--action-offline-mode", "--local-repository", "em-metrics/em-metrics@v1=" + action,
		"--var", "EM_METRICS_URL=" + b.service.URL(""), "--secret", "EM_METRICS_TOKEN=" + programtest.Token}
	for _, variable := range append(b.env, "GITHUB_RUN_ID="+id) {
		if name, _, _ := strings.Cut(variable, "="); name != "PATH" && name != "EM_METRICS_TOKEN" {
			args = append(args, "--env", variable)
		}
	}
	return b.run([]string{"XDG_CACHE_HOME=" + filepath.Join(b.Dir, ".cache"), "XDG_CONFIG_HOME=" + filepath.Join(b.Dir, ".config")}, "act", args...)
}

func newGitHubBlock(t *testing.T, workflow string) *block {
	t.Helper()
	b := newBlock(t)
	b.Git("remote", "set-url", "origin", "https://github.com/acme/shop.git")
	b.write(".github/workflows/deploy.yml", workflow)
	b.Git("add", "--all")
	b.At(day(1), "commit", "--quiet", "--amend", "--no-edit")
	return b
}

func TestBlockGitHubAction(t *testing.T) {
	requireTool(t, "act")
	for name, workflow := range map[string]string{"run": githubRun(t), "start and finish": githubSteps(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newGitHubBlock(t, workflow)
			b.tell(b.act, [2]string{"101", "102"})
		})
	}
}

// A job deploys although em-metrics can neither be installed nor reached, and its
// inputs are never run.
func TestBlockGitHubActionInTrouble(t *testing.T) {
	requireTool(t, "act")
	for name, test := range map[string]struct{ change, by, want string }{
		"no such release":  {"version: 1.2.3", "version: 9.9.9", "nothing is recorded: em-metrics could not be installed"},
		"no service":       {"version: 1.2.3", `version: 1.2.3, url: "http://127.0.0.1:1"`, "is not recorded: "},
		"inputs of a user": {"environment: production", `environment: 'a"; touch "$HOME/broken"; $(touch "$HOME/broken")'`, "Job succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newGitHubBlock(t, strings.Replace(githubRun(t), test.change, test.by, 1))
			output, succeeded := b.act("101")
			if !succeeded || !strings.Contains(output, test.want) {
				t.Errorf("succeeded: %t; output without %q:\n%s", succeeded, test.want, output)
			}
			b.expect(output, 1)
			if _, err := os.Stat(filepath.Join(b.Dir, "broken")); err == nil {
				t.Errorf("an input was run\n%s", output)
			}
		})
	}
}

// gitlab runs the pipeline on this machine.
func (b *block) gitlab(id string) (output string, succeeded bool) {
	b.t.Helper()
	args := []string{"--force-shell-executor", "--variable", "CI_PIPELINE_ID=" + id}
	for _, variable := range b.env {
		if strings.HasPrefix(variable, "EM_METRICS_") {
			args = append(args, "--variable", variable)
		}
	}
	return b.run(nil, "gitlab-ci-local", args...)
}

func newGitLabBlock(t *testing.T, include, version string) *block {
	t.Helper()
	b := newBlock(t)
	b.write("templates/deployment.yml", readFile(t, "templates/deployment.yml"))
	b.write(".gitlab-ci.yml", strings.NewReplacer("component: $CI_SERVER_FQDN/em-metrics/em-metrics/deployment@1.2.3", include, "{version: 1.2.3}", "{version: "+version+"}").
		Replace(snippet(t, "yaml", ".em-metrics")))
	b.Git("add", "--all")
	b.At(day(1), "commit", "--quiet", "--amend", "--no-edit")
	return b
}

func TestBlockGitLab(t *testing.T) {
	requireTool(t, "gitlab-ci-local")
	for name, include := range map[string]string{
		"template":  "local: /templates/deployment.yml",
		"component": "component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/deployment@$CI_COMMIT_SHA",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newGitLabBlock(t, include, "1.2.3")
			b.tell(b.gitlab, [2]string{"1001", "1002"})
		})
	}
	t.Run("no such release", func(t *testing.T) {
		t.Parallel()
		b := newGitLabBlock(t, "local: /templates/deployment.yml", "9.9.9")
		output, succeeded := b.gitlab("1001")
		if !succeeded || !strings.Contains(output, "em-metrics could not be installed") {
			t.Errorf("succeeded: %t\n%s", succeeded, output)
		}
		b.expect(output, 1)
	})
}
