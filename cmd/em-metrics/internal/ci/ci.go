// Package ci reads what the environment variables of CI systems tell of a run.
package ci

import "github.com/em-metrics/em-metrics/cmd/em-metrics/internal/git"

// Run is a run of a CI system, as far as its variables describe it. Each field may
// be empty.
type Run struct {
	System      string // name of the CI system
	Project     string // name of the repository or the pipeline
	Environment string // where the job deploys to
	ID          string // the same when a job of the run is repeated
	Commit      string
	User        string
	Start       string // when the job or the run started, in the form of the CI system
}

// system is a row of the table of CI systems: for each field of a run, the variables
// that can have it. The first that is set counts.
type system struct {
	name        string
	marker      string // the variable that only this CI system sets
	project     []string
	environment []string
	id          []string
	commit      []string
	user        []string
	start       []string
}

// systems is the table of CI systems. A run's id must survive the repetition of a
// job, and must be unique among all runs that deploy the project.
var systems = [...]system{
	{
		name: "GitHub Actions", marker: "GITHUB_ACTIONS",
		project: []string{"GITHUB_REPOSITORY"},
		id:      []string{"GITHUB_RUN_ID"},
		commit:  []string{"GITHUB_SHA"},
		user:    []string{"GITHUB_ACTOR"},
	},
	{
		name: "GitLab CI", marker: "GITLAB_CI",
		project:     []string{"CI_PROJECT_NAME"},
		environment: []string{"CI_ENVIRONMENT_NAME"},
		id:          []string{"CI_PIPELINE_ID"},
		commit:      []string{"CI_COMMIT_SHA"},
		user:        []string{"GITLAB_USER_LOGIN"},
		start:       []string{"CI_JOB_STARTED_AT"},
	},
	{
		name: "CircleCI", marker: "CIRCLECI",
		project: []string{"CIRCLE_PROJECT_REPONAME"},
		// A workflow that runs again has a new id, but the same workspace and pipeline.
		id:     []string{"CIRCLE_PIPELINE_ID", "CIRCLE_WORKFLOW_WORKSPACE_ID"},
		commit: []string{"CIRCLE_SHA1"},
		user:   []string{"CIRCLE_USERNAME"},
	},
	{
		name: "Jenkins", marker: "JENKINS_URL",
		project: []string{"GIT_URL"}, // of the Git plugin
		id:      []string{"BUILD_TAG"},
		commit:  []string{"GIT_COMMIT"},
		user:    []string{"BUILD_USER_ID"}, // of the plugin Build User Vars
	},
	{
		name: "Buildkite", marker: "BUILDKITE",
		project: []string{"BUILDKITE_PIPELINE_SLUG"},
		id:      []string{"BUILDKITE_BUILD_ID"},
		commit:  []string{"BUILDKITE_COMMIT"}, // HEAD if the build names no commit
		user:    []string{"BUILDKITE_BUILD_CREATOR_EMAIL", "BUILDKITE_BUILD_CREATOR"},
	},
	{
		name: "Azure Pipelines", marker: "TF_BUILD",
		project:     []string{"BUILD_REPOSITORY_NAME"},
		environment: []string{"ENVIRONMENT_NAME"},
		id:          []string{"BUILD_BUILDID"},
		commit:      []string{"BUILD_SOURCEVERSION"},
		user:        []string{"BUILD_REQUESTEDFOREMAIL", "BUILD_REQUESTEDFOR"},
		start:       []string{"SYSTEM_PIPELINESTARTTIME"},
	},
	{
		name: "Bitbucket Pipelines", marker: "BITBUCKET_BUILD_NUMBER",
		project:     []string{"BITBUCKET_REPO_SLUG"},
		environment: []string{"BITBUCKET_DEPLOYMENT_ENVIRONMENT"},
		id:          []string{"BITBUCKET_BUILD_NUMBER"},
		commit:      []string{"BITBUCKET_COMMIT"},
	},
	{
		// A container sees the workflow only by the variables that its template sets.
		name: "Argo Workflows", marker: "ARGO_NODE_ID",
		project:     []string{"ARGO_WORKFLOW_PROJECT"},
		environment: []string{"ARGO_WORKFLOW_ENVIRONMENT"},
		id:          []string{"ARGO_WORKFLOW_UID", "ARGO_WORKFLOW_NAME"},
		commit:      []string{"ARGO_WORKFLOW_COMMIT"},
		user:        []string{"ARGO_WORKFLOW_USER"},
		start:       []string{"ARGO_WORKFLOW_CREATED_AT"},
	},
}

// Read returns the run that the variables describe. It is empty outside a CI system.
func Read(variables map[string]string) Run {
	for _, s := range systems {
		if variables[s.marker] == "" {
			continue
		}
		first := func(names []string) string {
			for _, name := range names {
				if value := variables[name]; value != "" {
					return value
				}
			}
			return ""
		}
		return Run{
			System: s.name, Project: git.Name(first(s.project)), Environment: first(s.environment),
			ID: first(s.id), Commit: first(s.commit), User: first(s.user), Start: first(s.start),
		}
	}
	return Run{}
}
