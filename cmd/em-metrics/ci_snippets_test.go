package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// ciJob is a CI job that runs a snippet of docs/ci.md.
type ciJob struct {
	scripts []string // each is run by a shell of its own
	env     []string
}

// githubJob reads the snippet for GitHub Actions: every step is a script.
func githubJob(t *testing.T, before string) ciJob {
	t.Helper()
	var workflow struct {
		Jobs struct {
			Deploy struct {
				Env   map[string]string
				Steps []struct{ Run string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(snippetOf(t, "docs/ci.md", "yaml", "actions/checkout")), &workflow); err != nil {
		t.Fatal(err)
	}
	job := ciJob{env: []string{"GITHUB_ACTIONS=true", "GITHUB_RUN_ID=77", "GITHUB_REPOSITORY=acme/shop", "GITHUB_ACTOR=bob"}}
	for name, value := range workflow.Jobs.Deploy.Env {
		value = strings.NewReplacer("${{ github.event.before }}", before, "${{ secrets.EM_METRICS_TOKEN }}", programtest.Token).Replace(value)
		if name != "EM_METRICS_URL" { // set by the test
			job.env = append(job.env, name+"="+value)
		}
	}
	for _, step := range workflow.Jobs.Deploy.Steps {
		if step.Run != "" {
			job.scripts = append(job.scripts, step.Run)
		}
	}
	return job
}

// gitlabJob reads the snippet for GitLab: all lines are one script.
func gitlabJob(t *testing.T, before string) ciJob {
	t.Helper()
	var pipeline struct {
		Deploy struct {
			Environment string
			Script      []string
		}
	}
	if err := yaml.Unmarshal([]byte(snippetOf(t, "docs/ci.md", "yaml", "GIT_DEPTH")), &pipeline); err != nil {
		t.Fatal(err)
	}
	return ciJob{
		scripts: []string{strings.Join(pipeline.Deploy.Script, "\n")},
		env: []string{"EM_METRICS_TOKEN=" + programtest.Token, "CI_PIPELINE_ID=77", "CI_PROJECT_NAME=shop", "GITLAB_USER_LOGIN=bob",
			"CI_ENVIRONMENT_NAME=" + pipeline.Deploy.Environment, "CI_COMMIT_BEFORE_SHA=" + before},
	}
}

// run runs the scripts one after the other, as a CI system does, until one fails.
func (j ciJob) run(t *testing.T, shell []string, dir, address string) (output string, failed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, script := range j.scripts {
		command := exec.CommandContext(ctx, shell[0], append(shell[1:], "-c", script)...)
		command.Dir = dir
		command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "EM_METRICS_URL=" + address}, j.env...)
		printed, err := command.CombinedOutput()
		output += string(printed)
		if ctx.Err() != nil {
			t.Errorf("the job took more than a minute:\n%s", output)
		}
		if err != nil {
			return output, true
		}
	}
	return output, false
}

// ciSystems are the snippets with the shells that run them.
var ciSystems = []struct {
	name  string
	shell []string
	job   func(t *testing.T, before string) ciJob
}{
	{"GitHub, bash -e", []string{"bash", "-e"}, githubJob},
	{"GitHub, bash -eo pipefail", []string{"bash", "--noprofile", "--norc", "-eo", "pipefail"}, githubJob},
	{"GitLab, bash -e", []string{"bash", "-e"}, gitlabJob},
	{"GitLab, bash -eo pipefail", []string{"bash", "-eo", "pipefail"}, gitlabJob},
}

// The snippets record the first commit of a deployment or, if it is unknown, warn.
// They never fail the job.
func TestCISnippetsInManyRepositories(t *testing.T) {
	for _, system := range ciSystems {
		for _, test := range ciCases {
			t.Run(system.name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				s := programtest.StartService(t)
				r, before := test.make(t)
				output, failed := system.job(t, before).run(t, system.shell, r.dir, s.URL(""))
				r.expectDeployments(1)
				if failed || strings.Contains(output, "not recorded") != (test.want == "") {
					t.Errorf("failed: %v; output:\n%s", failed, output)
				}
				expectRecorded(t, s, test.want)
			})
		}
	}
}

// expectRecorded checks that one deployment is recorded, with the first commit, its
// start and its end; none if the first commit is empty.
func expectRecorded(t *testing.T, s *programtest.Service, firstCommit string) {
	t.Helper()
	var recorded []struct {
		ID            string  `json:"id"`
		Project       string  `json:"project_id"`
		Environment   string  `json:"environment"`
		FirstCommitAt string  `json:"first_commit_at"`
		DeployStartAt *string `json:"deploy_start_at"`
		DeployedAt    *string `json:"deployed_at"`
	}
	if err := json.Unmarshal([]byte(s.Get("/deployments")), &recorded); err != nil {
		t.Fatal(err)
	}
	if firstCommit == "" {
		if len(recorded) > 0 {
			t.Errorf("%+v is recorded, want nothing", recorded)
		}
		return
	}
	if len(recorded) != 1 {
		t.Fatalf("%d deployments are recorded, want 1", len(recorded))
	}
	d := recorded[0]
	if d.ID != "77" || d.Project != "shop" || d.Environment != "production" || d.FirstCommitAt != firstCommit ||
		d.DeployStartAt == nil || d.DeployedAt == nil {
		t.Errorf("%+v is recorded, want the start and the end of deployment 77 of shop in production with the first commit at %s", d, firstCommit)
	}
}

// A job that runs again, because the deployment failed or by hand, counts once.
func TestCISnippetsCountAJobThatRunsAgainOnce(t *testing.T) {
	for _, system := range ciSystems {
		t.Run(system.name, func(t *testing.T) {
			t.Parallel()
			s := programtest.StartService(t)
			r, before := history(t, true)
			job, head := system.job(t, before), r.git("rev-parse", "HEAD")
			r.write("deploy.sh", "#!/bin/sh\nexit 1\n")
			if output, failed := job.run(t, system.shell, r.dir, s.URL("")); !failed {
				t.Errorf("the job succeeded although the deployment failed:\n%s", output)
			}
			// The second attempt moves HEAD, as a deployment that tags itself does.
			r.write("deploy.sh", "#!/bin/sh\ngit -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git tag --force v2 && echo >>deployments\n")
			for range 2 {
				r.git("reset", "--quiet", "--hard", head)
				if output, failed := job.run(t, system.shell, r.dir, s.URL("")); failed {
					t.Errorf("the job failed:\n%s", output)
				}
			}
			r.expectDeployments(2)
			expectRecorded(t, s, "2026-01-04T09:30:00.000Z")
		})
	}
}

// Whatever the service does, the deployment runs, and soon.
func TestCISnippetsNeverFailADeployment(t *testing.T) {
	t.Parallel()
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hanging.Close() })
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(failing.Close)
	var jobs sync.WaitGroup // they mostly wait
	for _, system := range ciSystems {
		for name, address := range map[string]string{
			"away": "http://127.0.0.1:1", "hanging": "http://" + hanging.Addr().String(), "failing": failing.URL, "not set": "",
		} {
			r, before := history(t, true)
			job := system.job(t, before)
			jobs.Go(func() {
				output, failed := job.run(t, system.shell, r.dir, address)
				r.expectDeployments(1)
				if failed || !strings.Contains(output, "recorded") || strings.Contains(output, programtest.Token) {
					t.Errorf("%s, %s: failed: %v; output:\n%s", system.name, name, failed, output)
				}
			})
		}
	}
	jobs.Wait()
}

// If only the start is lost, the end records it too.
func TestCISnippetsRecordAStartThatWasLost(t *testing.T) {
	for _, system := range ciSystems {
		t.Run(system.name, func(t *testing.T) {
			t.Parallel()
			s := programtest.StartService(t)
			service, err := url.Parse(s.URL(""))
			if err != nil {
				t.Fatal(err)
			}
			proxy := httputil.NewSingleHostReverseProxy(service)
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/deployments" {
					requests++
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				proxy.ServeHTTP(w, r)
			}))
			defer server.Close()
			r, before := history(t, true)
			output, failed := system.job(t, before).run(t, system.shell, r.dir, server.URL)
			if failed || !strings.Contains(output, "the start of deployment 77 was not recorded") {
				t.Errorf("failed: %v; output:\n%s", failed, output)
			}
			if requests != 1 {
				t.Errorf("%d requests to record the start, want 1: a definite answer is not retried", requests)
			}
			expectRecorded(t, s, "2026-01-04T09:30:00.000Z")
		})
	}
}

// The calls for any other CI, with and without a service.
func TestCISnippetForAnyOtherCI(t *testing.T) {
	t.Parallel()
	script := snippetOf(t, "docs/ci.md", "sh", "record()")
	s := programtest.StartService(t)
	var jobs sync.WaitGroup // they mostly wait
	for _, shell := range [][]string{{"bash", "-e"}, {"bash", "-eo", "pipefail"}, {"sh", "-e"}} {
		for _, address := range []string{s.URL(""), "http://127.0.0.1:1"} {
			r := newRepository(t)
			job := ciJob{scripts: []string{script}, env: []string{"EM_METRICS_TOKEN=" + programtest.Token}}
			jobs.Go(func() {
				output, failed := job.run(t, shell, r.dir, address)
				r.expectDeployments(1)
				if failed || strings.Contains(output, "WARNING") != (address != s.URL("")) {
					t.Errorf("%s: failed: %v; output:\n%s", shell, failed, output)
				}
			})
		}
	}
	jobs.Wait()
	if got, want := s.Get("/deployments"), `"deployed_at":"`; strings.Count(got, want) != 1 {
		t.Errorf("recorded are %s, want one deployment", got)
	}
}
