package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/ci/citest"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/internal/git/gittest"
	"github.com/em-metrics/em-metrics/cmd/em-metrics/programtest"
)

// pipeline runs commands in a clone, as a job of a CI system against a service.
type pipeline struct {
	t       *testing.T
	service *programtest.Service
	clone   *gittest.Repository
}

// job is the run of a CI system that a command is in.
type job struct {
	run, commit, environment string
	clone                    *gittest.Repository // default: that of the pipeline
}

// recordedDeployment is a deployment as the service returns it.
type recordedDeployment struct {
	ID            string  `json:"id"`
	ProjectID     string  `json:"project_id"`
	Environment   string  `json:"environment"`
	FirstCommitAt *string `json:"first_commit_at"`
	DeployStartAt *string `json:"deploy_start_at"`
	DeployedAt    *string `json:"deployed_at"`
	AbortedAt     *string `json:"aborted_at"`
	Commit        string  `json:"commit"`
	Commits       *int    `json:"commit_count"`
	Rollback      bool    `json:"rollback"`
	Rework        bool    `json:"rework"`
	Failed        bool    `json:"failed"`
	LeadTime      struct {
		UnknownBecause string `json:"unknown_because"`
	} `json:"lead_time"`
}

// run runs a deploy command in the job.
func (p pipeline) run(j job, args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	clone := j.clone
	if clone == nil {
		clone = p.clone
	}
	env := append(clone.Environ(), "GIT_DIR="+filepath.Join(clone.Dir, ".git"),
		"EM_METRICS_URL="+p.service.URL(""), "EM_METRICS_TOKEN="+programtest.Token, "GITLAB_CI=true", "CI_PROJECT_NAME=shop",
		"CI_PIPELINE_ID="+j.run, "CI_COMMIT_SHA="+j.commit, "CI_ENVIRONMENT_NAME="+j.environment, "GITLAB_USER_LOGIN=bob")
	return runIn(p.t, env, append([]string{"deploy"}, args...)...)
}

// must runs a command that must succeed, with -json, and returns what is recorded.
func (p pipeline) must(j job, args ...string) (d recordedDeployment) {
	p.t.Helper()
	stdout, stderr, code := p.run(j, append(args, "-json")...)
	if code != 0 || stderr != "" {
		p.t.Fatalf("%v in run %s: exit code %d, %s", args, j.run, code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		p.t.Fatalf("%v: %s", err, stdout)
	}
	return d
}

// expect checks that a deployment brings the commits that the graph has between two,
// and has the date of the earliest.
func (p pipeline) expect(d recordedDeployment, g gittest.Graph, from, to string, folders ...string) {
	p.t.Helper()
	want := g.Between(from, to, folders...)
	switch {
	case d.Commits == nil || *d.Commits != len(want):
		p.t.Errorf("deployment %s has %s commits, want %d", d.ID, count(d.Commits), len(want))
	case len(want) == 0 && (d.FirstCommitAt != nil || d.LeadTime.UnknownBecause == ""):
		p.t.Errorf("deployment %s brings nothing and has a lead time", d.ID)
	case len(want) > 0 && (d.FirstCommitAt == nil || *d.FirstCommitAt != g.First(want).Format("2006-01-02T15:04:05.000Z")):
		p.t.Errorf("deployment %s has the first commit %v, want %s", d.ID, d.FirstCommitAt, g.First(want))
	}
}

func count(n *int) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprint(*n)
}

func at(t time.Time) string { return t.Format(time.RFC3339) }

// Hundreds of releases of three teams, with rollbacks by running a job again and by a
// new run, and redeployments: what the service has of each is what the test finds in
// the history.
func TestDeployHistories(t *testing.T) {
	for _, strategy := range gittest.Strategies {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			r, releases := gittest.NewHistory(t, strategy, programtest.Rounds(200, 450), 7)
			g := r.Graph()
			p := pipeline{t, programtest.StartService(t), r}
			random := rand.New(rand.NewPCG(7, 7))
			live := ""
			for i, release := range releases {
				run := fmt.Sprint(i + 1)
				d := p.must(job{run: run, commit: release.Commit, environment: "production"}, "record", "-at", at(release.At))
				if live == "" {
					if d.FirstCommitAt != nil || d.LeadTime.UnknownBecause != "first_deployment" {
						t.Errorf("the first deployment is %+v", d)
					}
				} else {
					p.expect(d, g, live, release.Commit)
				}
				live = release.Commit
				later := release.At.Add(time.Minute)
				switch random.IntN(12) {
				case 0: // the job is run again: nothing new
					if again := p.must(job{run: run, commit: live, environment: "production"}, "record", "-at", at(later)); again.ID != run || *again.DeployedAt != *d.DeployedAt {
						t.Errorf("the repetition of run %s is %+v", run, again)
					}
				case 1: // a rollback
					if i == 0 {
						continue
					}
					back := job{run: fmt.Sprint(i), commit: releases[i-1].Commit, environment: "production"}
					want := back.run + ".2"
					if random.IntN(2) == 0 {
						back.run = run + "-back"
						want = back.run
					}
					if d := p.must(back, "record", "-at", at(later)); d.ID != want || !d.Rollback || d.FirstCommitAt != nil {
						t.Errorf("the rollback from run %s is %+v, want id %s", run, d, want)
					}
					live = back.commit
				case 2: // the same commit again
					d := p.must(job{run: run + "-again", commit: live, environment: "production"}, "record", "-at", at(later))
					if d.Rollback || d.FirstCommitAt != nil || d.LeadTime.UnknownBecause != "redeployment" {
						t.Errorf("the redeployment of run %s is %+v", run, d)
					}
				}
			}
		})
	}
}

func day(n int) time.Time { return time.Date(2026, 3, n, 9, 0, 0, 0, time.UTC) }

// story is a pipeline with a project of three commits, of which the first is deployed
// to production by run 1.
func newStory(t *testing.T) (p pipeline, commits [3]string) {
	t.Helper()
	r := gittest.New(t)
	for i := range commits {
		commits[i] = r.Commit(day(i+1), "services/shop/file")
	}
	p = pipeline{t, programtest.StartService(t), r}
	p.must(job{run: "1", commit: commits[0], environment: "production"}, "record", "-at", at(day(2)))
	return p, commits
}

func TestDeployStartAndFinishInSeveralJobs(t *testing.T) {
	t.Parallel()
	p, commits := newStory(t)
	j := job{run: "2", commit: commits[2], environment: "production"}
	started := p.must(j, "start")
	if started.ID != "2" || started.DeployedAt != nil || count(started.Commits) != "2" {
		t.Errorf("started is %+v", started)
	}
	aborted := p.must(j, "abort")
	if aborted.AbortedAt == nil || aborted.DeployedAt != nil {
		t.Errorf("aborted is %+v", aborted)
	}
	p.must(j, "start")
	finished := p.must(j, "finish")
	p.expect(finished, p.clone.Graph(), commits[0], commits[2])
	if finished.ID != "2" || *finished.DeployStartAt != *started.DeployStartAt {
		t.Errorf("finished is %+v", finished)
	}
	if again := p.must(j, "finish"); *again.DeployedAt != *finished.DeployedAt {
		t.Errorf("the repetition is %+v", again)
	}
	const brings = "deployment 2 of shop in production is deployed: 2 commits since deployment 1, the first of 2026-03-02T09:00:00Z\n"
	if stdout, _, code := p.run(j, "finish"); code != 0 || stdout != brings {
		t.Errorf("the repetition printed %s, want %s", stdout, brings)
	}
	stdout, stderr, code := p.run(j, "abort")
	if code != 1 || stdout != "" || !strings.Contains(stderr, "cannot be aborted") {
		t.Errorf("the abort of a finished deployment: exit code %d, %s %s", code, stdout, stderr)
	}
	if _, stderr, code := p.run(j, "abort", "-soft"); code != 0 || !strings.Contains(stderr, "em-metrics: warning: the deployment was not recorded: deployment 2 of shop in production: ") {
		t.Errorf("the same with -soft: exit code %d, %s", code, stderr)
	}
	var list []recordedDeployment
	if err := json.Unmarshal([]byte(p.service.Get("/deployments")), &list); err != nil || len(list) != 2 {
		t.Errorf("%d deployments are recorded, want 2", len(list))
	}
}

// Environments are apart: what is new in production is not what is new in staging.
func TestDeployToTwoEnvironments(t *testing.T) {
	t.Parallel()
	p, commits := newStory(t)
	g := p.clone.Graph()
	if d := p.must(job{run: "1", commit: commits[0], environment: "staging"}, "record"); d.LeadTime.UnknownBecause != "first_deployment" {
		t.Errorf("the first deployment to staging is %+v", d)
	}
	p.expect(p.must(job{run: "2", commit: commits[1], environment: "staging"}, "record"), g, commits[0], commits[1])
	p.expect(p.must(job{run: "3", commit: commits[2], environment: "staging"}, "record"), g, commits[1], commits[2])
	p.expect(p.must(job{run: "3", commit: commits[2], environment: "production"}, "record"), g, commits[0], commits[2])
}

// The jobs of a matrix deploy several projects, each with its own folder, in one run.
func TestDeployAMatrixOfServices(t *testing.T) {
	t.Parallel()
	p, _ := newStory(t)
	var commits []string
	for i, folder := range []string{"services/shop", "services/pay", "libraries/money", "docs", "services/pay"} {
		commits = append(commits, p.clone.Commit(day(4+i), folder+"/file"))
	}
	g := p.clone.Graph()
	for run, commit := range []string{commits[0], commits[4]} {
		for project, folders := range map[string][]string{
			"shop": {"services/shop"}, "pay": {"services/pay", "libraries/money"},
		} {
			args := []string{"record", "-project", project}
			for _, folder := range folders {
				args = append(args, "-path", folder)
			}
			d := p.must(job{run: fmt.Sprint(2 + run), commit: commit, environment: "production"}, args...)
			if run > 0 {
				p.expect(d, g, commits[0], commits[4], folders...)
			}
		}
	}
}

func TestDeployUnknown(t *testing.T) {
	t.Parallel()
	p, commits := newStory(t)
	shallow := p.clone.Clone(commits[2], 1)
	if d := p.must(job{run: "2", commit: commits[2], environment: "production", clone: shallow}, "start"); count(d.Commits) != "2" {
		t.Errorf("from a shallow clone: %+v", d)
	}
	future := p.clone.Commit(time.Now().AddDate(1, 0, 0), "")
	elsewhere := gittest.New(t)
	other := elsewhere.Commit(day(1), "")
	p.service.Post("/deployments/3/deployed", `{"create_if_not_exists": true, "project_id": "curl", "environment": "production", "first_commit_at": "2026-01-01"}`)
	for name, test := range map[string]struct {
		job   job
		flags []string
		want  string
	}{
		"no fetch":             {job{run: "4", commit: commits[2], environment: "production", clone: p.clone.Clone(commits[2], 1)}, []string{"-no-fetch"}, "is not in this clone, which is shallow"},
		"force push":           {job{run: "5", commit: other, environment: "production", clone: elsewhere}, nil, "commit " + commits[0][:10] + " is not in this clone"},
		"the first":            {job{run: "6", commit: commits[0], environment: "test"}, nil, "this is the first deployment of shop in test"},
		"given":                {job{run: "7", commit: commits[2], environment: "production"}, []string{"-first-commit-at", "unknown"}, "so it was given"},
		"in the future":        {job{run: "8", commit: future, environment: "production"}, nil, "commit " + future + " is of "},
		"after a call of curl": {job{run: "9", commit: commits[2], environment: "production"}, []string{"-project", "curl"}, "no commit is recorded for the last deployment, 3"},
		"no clone":             {job{run: "10", environment: "production", clone: gittest.New(t)}, nil, "the commit that is deployed is not known; -commit sets it"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := p.run(test.job, append([]string{"start"}, test.flags...)...)
			if code != 0 || !strings.Contains(stdout, " has started: the lead time is unknown: ") || !strings.Contains(stdout, test.want) || stderr != "" {
				t.Errorf("exit code %d, %s%s", code, stdout, stderr)
			}
			if d := p.must(test.job, append([]string{"start"}, test.flags...)...); d.FirstCommitAt != nil {
				t.Errorf("recorded is %+v", d)
			}
		})
	}
	given := p.must(job{run: "11", commit: commits[2], environment: "production"}, "record", "-first-commit-at", "2026-03-03")
	if given.FirstCommitAt == nil || *given.FirstCommitAt != "2026-03-03T00:00:00.000Z" {
		t.Errorf("a first commit that was given: %+v", given)
	}
}

// A deployment that the service did not hear of until its end is recorded whole.
func TestDeployRunWithAServiceThatComesBack(t *testing.T) {
	t.Parallel()
	p, commits := newStory(t)
	if err := p.service.Stop(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf("touch %[1]s/began; until [ -e %[1]s/back ]; do sleep 0.05; done", dir)
	result := make(chan int)
	go func() {
		_, _, code := p.run(job{run: "2", commit: commits[2], environment: "production"}, "run", "--", "sh", "-c", script)
		result <- code
	}()
	programtest.Eventually(t, 10*time.Second, func() error {
		_, err := os.Stat(filepath.Join(dir, "began"))
		return err
	})
	p.service.Start()
	if err := os.WriteFile(filepath.Join(dir, "back"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := <-result; code != 0 {
		t.Errorf("exit code %d", code)
	}
	var d recordedDeployment
	if err := json.Unmarshal([]byte(p.service.Get("/deployments/2?project_id=shop")), &d); err != nil {
		t.Fatal(err)
	}
	p.expect(d, p.clone.Graph(), commits[0], commits[2])
	if d.DeployStartAt == nil || d.DeployedAt == nil || *d.DeployStartAt >= *d.DeployedAt {
		t.Errorf("recorded is %+v", d)
	}
}

func TestDeployRunRecordsFailures(t *testing.T) {
	t.Parallel()
	p, commits := newStory(t)
	j := job{run: "2", commit: commits[2], environment: "production"}
	if _, stderr, code := p.run(j, "run", "--", "sh", "-c", "exit 9"); code != 9 || stderr != "" {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	read := func() (d recordedDeployment) {
		if err := json.Unmarshal([]byte(p.service.Get("/deployments/2?project_id=shop")), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := read(); d.AbortedAt == nil || d.DeployedAt != nil {
		t.Errorf("after a failure: %+v", d)
	}
	if stdout, stderr, code := p.run(j, "run", "--", "echo", "deployed"); code != 0 || stdout != "deployed\n" || stderr != "" {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if d := read(); d.DeployedAt == nil {
		t.Errorf("after a run that succeeded: %+v", d)
	}
}

// Wrong usage has exit code 2 and says what to do.
func TestDeployUsage(t *testing.T) {
	t.Parallel()
	full := map[string]string{"EM_METRICS_URL": "http://127.0.0.1:1", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "1"}
	for want, test := range map[string]struct {
		without string
		args    []string
	}{
		"not enough is known: set EM_METRICS_URL or -url": {"EM_METRICS_URL", []string{"start"}},
		"not enough is known: set -id":                    {"GITHUB_RUN_ID", []string{"start"}},
		`unexpected argument "now"`:                       {"", []string{"start", "now"}},
		"expected a command, such as -- ./deploy.sh":      {"", []string{"run"}},
		`invalid value "soon" for flag -at: `:             {"", []string{"finish", "-at", "soon"}},
		`invalid value "x" for flag -first-commit-at: `:   {"", []string{"finish", "-first-commit-at", "x"}},
		`invalid value "0s" for flag -timeout: `:          {"", []string{"finish", "-timeout", "0s"}},
	} {
		variables := maps.Clone(full)
		delete(variables, test.without)
		env := []string{"PATH=" + os.Getenv("PATH")}
		for name, value := range variables {
			env = append(env, name+"="+value)
		}
		stdout, stderr, code := runIn(t, env, append([]string{"deploy"}, test.args...)...)
		if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "Error: "+want) {
			t.Errorf("%v: exit code %d, %s%s; want 2 and %s", test.args, code, stdout, stderr, want)
		}
		if test.without == "" {
			continue
		}
		// A variable that is missing stops no pipeline that does not want it.
		if _, stderr, code := runIn(t, env, "deploy", "start", "-soft"); code != 0 || !strings.HasPrefix(stderr, "::warning title=em-metrics::the deployment was not recorded: "+want) {
			t.Errorf("-soft: exit code %d, %s; want 0 and %s", code, stderr, want)
		}
	}
}

// A job of each CI system that runs again counts once, with what its variables tell.
func TestDeployFromEachCI(t *testing.T) {
	t.Parallel()
	s, r := programtest.StartService(t), gittest.New(t)
	for name, job := range citest.Jobs() {
		again := maps.Clone(job.Variables)
		maps.Copy(again, job.Again)
		want := job.Want
		want.Environment = cmp.Or(want.Environment, "production")
		for _, variables := range []map[string]string{job.Variables, again} {
			env := append(r.Environ(), "GIT_DIR="+filepath.Join(r.Dir, ".git"), "EM_METRICS_URL="+s.URL(""), "EM_METRICS_TOKEN="+programtest.Token)
			for name, value := range variables {
				env = append(env, name+"="+value)
			}
			stdout, stderr, code := runIn(t, env, "deploy", "record", "-json")
			var d recordedDeployment
			if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 0 {
				t.Fatalf("%s: exit code %d, %s%s", name, code, stdout, stderr)
			}
			if d.ProjectID != want.Project || d.Environment != want.Environment || d.ID != want.ID || d.Commit != want.Commit {
				t.Errorf("%s: recorded is %+v, want %+v", name, d, want)
			}
			if start := d.DeployStartAt != nil; start != (want.Start != "") {
				t.Errorf("%s: the start is recorded: %t", name, start)
			}
		}
	}
	var list []recordedDeployment
	if err := json.Unmarshal([]byte(s.Get("/deployments")), &list); err != nil || len(list) != len(citest.Jobs()) {
		t.Errorf("%d deployments are recorded, want one for each CI; %v", len(list), err)
	}
}
