package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/git/gittest"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// releases serves release 1.2.3 with the program under test for this machine, and
// 6.6.6, whose archive is not the one that its checksum is of.
func releases(t *testing.T) (address string) {
	t.Helper()
	program, err := os.ReadFile(programtest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	compressor, err := gzip.NewWriterLevel(&archive, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(compressor)
	if err := w.WriteHeader(&tar.Header{Name: "em-metrics", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	for _, close := range []func() error{w.Close, compressor.Close} {
		if err := close(); err != nil {
			t.Fatal(err)
		}
	}
	name := fmt.Sprintf("em-metrics_1.2.3_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
	bad := strings.Replace(name, "1.2.3", "6.6.6", 1)
	files := map[string][]byte{
		"/v1.2.3/" + name: archive.Bytes(), "/v1.2.3/checksums.txt": fmt.Appendf(nil, "%x  other.tar.gz\n%x  %s\n", sha256.Sum256(nil), sha256.Sum256(archive.Bytes()), name),
		"/v6.6.6/" + bad: archive.Bytes(), "/v6.6.6/checksums.txt": fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(nil), bad),
		"/v7.7.7/" + strings.Replace(name, "1.2.3", "7.7.7", 1): archive.Bytes(), "/v7.7.7/checksums.txt": nil,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// path returns the path of a file of this project.
func path(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// A release is installed only if its checksum is right.
func TestInstallScript(t *testing.T) {
	t.Parallel()
	address := releases(t)
	for version, works := range map[string]bool{"1.2.3": true, "v1.2.3": true, "6.6.6": false, "7.7.7": false, "9.9.9": false} {
		folder := filepath.Join(t.TempDir(), "a", "b")
		command := exec.Command("sh", path(t, "ci/install.sh"), version, folder)
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "EM_METRICS_DOWNLOADS=" + address}
		output, err := command.CombinedOutput()
		if (err == nil) != works {
			t.Errorf("%s: %v\n%s", version, err, output)
		}
		printed, err := exec.Command(filepath.Join(folder, "em-metrics"), "version").Output()
		if (err == nil) != works || works && !strings.HasPrefix(string(printed), "em-metrics") {
			t.Errorf("%s: %v, %s", version, err, printed)
		}
	}
}

var installer = regexp.MustCompile(`(?s)em_metrics_install\(\) \(.*?\n\)\n`)

// The blocks that cannot refer to a file contain the function that installs.
func TestBlocksContainTheInstaller(t *testing.T) {
	want := installer.FindString(readFile(t, "ci/install.sh"))
	for _, file := range []string{"templates/deployment.yml", "ci/circleci/orb.yml"} {
		content := readFile(t, file)
		margin := regexp.MustCompile(`(?m)^( *)em_metrics_install\(\)`).FindStringSubmatch(content)
		if margin == nil || want == "" || !strings.Contains(regexp.MustCompile("(?m)^"+margin[1]).ReplaceAllString(content, ""), want) {
			t.Errorf("%s does not contain the function of ci/install.sh; copy it", file)
		}
	}
}

// No expression is a part of a script: what a branch or a user is called would be run.
func TestBlocksInterpolateNothingIntoScripts(t *testing.T) {
	for file, pattern := range map[string]string{
		".github/actions/deployment/action.yml": `(?m)^ *run: .*\$\{\{`,
		"templates/deployment.yml":              `(?m)^ {6}.*\$\[\[`,
		"ci/circleci/orb.yml":                   `(?m)^ {12}[^:]*<<`,
	} {
		if found := regexp.MustCompile(pattern).FindString(readFile(t, file)); found != "" {
			t.Errorf("%s has %q in a script", file, found)
		}
	}
}

// block is a scratch project that deploys with a block, against a service.
type block struct {
	*gittest.Repository
	t       *testing.T
	service *programtest.Service
	env     []string
}

// newBlock returns a project of one commit with a script that deploys, which says so
// in the file deployments unless the file broken exists.
func newBlock(t *testing.T) *block {
	t.Helper()
	b := &block{gittest.New(t), t, programtest.StartService(t), nil}
	b.write("deploy.sh", fmt.Sprintf("#!/bin/sh\n[ ! -e %[1]s/broken ] && echo deployed >>%[1]s/deployments\n", b.Dir))
	b.write(".gitignore", "/broken\n/deployments\n/.em-metrics\n/bash_env\n/.cache\n/.local\n/.config\n/.gitlab-ci-local\n")
	b.Git("add", "--all")
	b.At(day(1), "commit", "--quiet", "--message=x")
	b.Git("remote", "add", "origin", "https://git.example.com/acme/shop.git")
	b.env = append(b.Environ(), "EM_METRICS_URL="+b.service.URL(""), "EM_METRICS_TOKEN="+programtest.Token, "EM_METRICS_DOWNLOADS="+releases(t))
	return b
}

func (b *block) write(name, content string) {
	b.t.Helper()
	file := filepath.Join(b.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o700); err != nil { //nolint:gosec // some are programs
		b.t.Fatal(err)
	}
}

// shell runs a script as CI systems run one, and returns what it printed and whether
// it succeeded.
func (b *block) shell(script string, env ...string) (output string, succeeded bool) {
	b.t.Helper()
	return b.run(env, "bash", "-eo", "pipefail", "-c", script)
}

func (b *block) run(env []string, name string, args ...string) (output string, succeeded bool) {
	b.t.Helper()
	command := exec.CommandContext(b.t.Context(), name, args...)
	command.Dir, command.Env = b.Dir, append(b.env, env...)
	printed, err := command.CombinedOutput()
	if strings.Contains(string(printed), programtest.Token) {
		b.t.Errorf("the token is printed:\n%s", printed)
	}
	return string(printed), err == nil
}

// expect checks how often the script deployed, and the newest deployments that are
// recorded: their ids with their numbers of commits, newest first.
func (b *block) expect(output string, deployments int, recorded ...string) {
	b.t.Helper()
	content, _ := os.ReadFile(filepath.Join(b.Dir, "deployments"))
	if got := strings.Count(string(content), "deployed\n"); got != deployments {
		b.t.Errorf("it was deployed %d times, want %d\n%s", got, deployments, output)
	}
	var list []recordedDeployment
	if err := json.Unmarshal([]byte(b.service.Get("/deployments?project_id=shop&environment=production")), &list); err != nil {
		b.t.Fatal(err)
	}
	got := []string{}
	for _, d := range list {
		state := "started"
		if d.DeployedAt != nil {
			state = "deployed"
		} else if d.AbortedAt != nil {
			state = "aborted"
		}
		got = append(got, fmt.Sprintf("%s %s %s", d.ID, state, count(d.Commits)))
	}
	if strings.Join(got, ", ") != strings.Join(recorded, ", ") {
		b.t.Errorf("recorded are %q, want %q\n%s", got, recorded, output)
	}
}

// tell runs a job three times: a first deployment, one that fails, and the same run
// again, which succeeds. The script run runs the job as the run with that id.
func (b *block) tell(run func(id string) (output string, succeeded bool), ids [2]string) {
	b.t.Helper()
	output, succeeded := run(ids[0])
	if !succeeded {
		b.t.Errorf("the first job failed\n%s", output)
	}
	b.expect(output, 1, ids[0]+" deployed unknown")
	b.Commit(day(2), "")
	b.Commit(day(3), "")
	b.write("broken", "")
	output, succeeded = run(ids[1])
	if succeeded {
		b.t.Errorf("a job succeeded although the deployment failed\n%s", output)
	}
	b.expect(output, 1, ids[1]+" aborted 2", ids[0]+" deployed unknown")
	if err := os.Remove(filepath.Join(b.Dir, "broken")); err != nil {
		b.t.Fatal(err)
	}
	for n := range 2 { // again, and once more
		if output, succeeded = run(ids[1]); !succeeded {
			b.t.Errorf("a job that was run again failed\n%s", output)
		}
		b.expect(output, 2+n, ids[1]+" deployed 2", ids[0]+" deployed unknown")
	}
}

// circleStep is a step of the orb that runs a script.
type circleStep struct {
	Run struct {
		Environment map[string]string
		Command     string
	}
}

func TestCircleCIOrb(t *testing.T) {
	t.Parallel()
	var orb struct {
		Commands map[string]struct{ Steps []circleStep }
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "ci/circleci/orb.yml")), &orb); err != nil {
		t.Fatal(err)
	}
	b := newBlock(t)
	run := func(version, pipeline string) (output string, succeeded bool) {
		parameters := strings.NewReplacer("<< parameters.version >>", version, "<< parameters.script >>", "./deploy.sh",
			"<< parameters.environment >>", "production", "<< parameters.project >>", "", "<< parameters.path >>", "")
		b.write("bash_env", "")
		for _, name := range []string{"install", "run"} {
			for _, step := range orb.Commands[name].Steps {
				env := []string{"BASH_ENV=" + filepath.Join(b.Dir, "bash_env"), "CIRCLECI=true", "CIRCLE_PROJECT_REPONAME=shop", "CIRCLE_PIPELINE_ID=" + pipeline,
					"CIRCLE_WORKFLOW_ID=" + t.Name(), "CIRCLE_SHA1=" + b.Git("rev-parse", "HEAD"), "CIRCLE_USERNAME=bob"}
				for variable, value := range step.Run.Environment {
					env = append(env, variable+"="+parameters.Replace(value))
				}
				printed, ok := b.shell(step.Run.Command, env...)
				if output += printed; !ok {
					return output, false
				}
			}
		}
		return output, true
	}
	b.tell(func(id string) (string, bool) { return run("1.2.3", id) }, [2]string{"p1", "p2"})
	if output, succeeded := run("9.9.9", "p3"); !succeeded {
		t.Errorf("the job failed because em-metrics is installed already\n%s", output)
	}
	if err := os.RemoveAll(filepath.Join(b.Dir, ".em-metrics")); err != nil {
		t.Fatal(err)
	}
	if output, succeeded := run("9.9.9", "p4"); !succeeded || !strings.Contains(output, "could not be installed") {
		t.Errorf("the job without em-metrics: %s", output)
	}
	b.expect("", 5, "p3 deployed 0", "p2 deployed 2", "p1 deployed unknown")
}

var jenkinsScript = regexp.MustCompile(`(?s)sh '''(.*?)'''|sh '([^']*)'`)

func TestJenkinsfile(t *testing.T) {
	t.Parallel()
	b := newBlock(t)
	b.write("ci/install.sh", readFile(t, "ci/install.sh"))
	b.Git("add", "--all")
	b.At(day(1), "commit", "--quiet", "--amend", "--no-edit")
	scripts := jenkinsScript.FindAllStringSubmatch(readFile(t, "ci/Jenkinsfile"), -1)
	if len(scripts) != 2 {
		t.Fatalf("the Jenkinsfile has %d scripts, want 2", len(scripts))
	}
	workspace := filepath.Join(t.TempDir(), "shop")
	b.tell(func(id string) (output string, succeeded bool) {
		for _, script := range scripts {
			printed, ok := b.shell(script[1]+script[2], "WORKSPACE="+workspace, "PATH="+os.Getenv("PATH")+":"+workspace+"@tmp/em-metrics",
				"JENKINS_URL=https://jenkins.example.com/", "BUILD_TAG="+id, "JOB_NAME=acme/shop/main", "GIT_URL=https://git.example.com/acme/shop.git",
				"GIT_COMMIT="+b.Git("rev-parse", "HEAD"))
			if output += printed; !ok {
				return output, false
			}
		}
		return output, true
	}, [2]string{"jenkins-shop-1", "jenkins-shop-2"})
}
