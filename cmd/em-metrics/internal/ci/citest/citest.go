// Package citest has the variables of jobs of CI systems, for tests.
package citest

import "github.com/em-metrics/em-metrics/cmd/em-metrics/internal/ci"

const sha = "5f2c1d0e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d"

// Job is a job of a CI system.
type Job struct {
	Variables map[string]string // as the documentation of the CI system has them
	Again     map[string]string // those that are different when the job runs again
	Want      ci.Run            // what they tell, without the name of the CI system
}

// Jobs returns a job of each CI system, by the name of the system.
func Jobs() map[string]Job {
	return map[string]Job{
		"GitHub Actions": {
			map[string]string{
				"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "1658821493", "GITHUB_RUN_NUMBER": "3",
				"GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "deploy", "GITHUB_SHA": sha, "GITHUB_ACTOR": "bob", "GITHUB_TRIGGERING_ACTOR": "bob",
			},
			map[string]string{"GITHUB_RUN_ATTEMPT": "2", "GITHUB_TRIGGERING_ACTOR": "ann"},
			ci.Run{Project: "shop", ID: "1658821493", Commit: sha, User: "bob"},
		},
		"GitLab CI": {
			map[string]string{
				"CI": "true", "GITLAB_CI": "true", "CI_PROJECT_NAME": "shop", "CI_PROJECT_PATH": "acme/shop", "CI_ENVIRONMENT_NAME": "production",
				"CI_PIPELINE_ID": "1000421", "CI_PIPELINE_IID": "12", "CI_JOB_ID": "77001", "CI_COMMIT_SHA": sha, "GITLAB_USER_LOGIN": "bob",
				"CI_JOB_STARTED_AT": "2026-03-04T10:00:00Z", "CI_PIPELINE_CREATED_AT": "2026-03-04T09:50:00Z",
			},
			map[string]string{"CI_JOB_ID": "77002"},
			ci.Run{Project: "shop", Environment: "production", ID: "1000421", Commit: sha, User: "bob", Start: "2026-03-04T10:00:00Z"},
		},
		"CircleCI": {
			map[string]string{
				"CI": "true", "CIRCLECI": "true", "CIRCLE_PROJECT_REPONAME": "shop", "CIRCLE_PROJECT_USERNAME": "acme", "CIRCLE_SHA1": sha,
				"CIRCLE_PIPELINE_ID": "b34c9d5e-0f6a-4d7c-8e21-1a2b3c4d5e6f", "CIRCLE_WORKFLOW_ID": "0c1d2e3f-1111", "CIRCLE_WORKFLOW_WORKSPACE_ID": "0c1d2e3f-1111",
				"CIRCLE_BUILD_NUM": "41", "CIRCLE_USERNAME": "bob",
			},
			map[string]string{"CIRCLE_WORKFLOW_ID": "9a8b7c6d-2222", "CIRCLE_BUILD_NUM": "42"},
			ci.Run{Project: "shop", ID: "b34c9d5e-0f6a-4d7c-8e21-1a2b3c4d5e6f", Commit: sha, User: "bob"},
		},
		"Jenkins": {
			map[string]string{
				"JENKINS_URL": "https://jenkins.example.com/", "JOB_NAME": "acme/shop/main", "BUILD_NUMBER": "7", "BUILD_TAG": "jenkins-acme-shop-main-7",
				"GIT_URL": "https://git.example.com/acme/shop.git", "GIT_COMMIT": sha, "BUILD_USER_ID": "bob", "STAGE_NAME": "deploy",
			},
			nil, // retry() in a build; a build that is started again has another number
			ci.Run{Project: "shop", ID: "jenkins-acme-shop-main-7", Commit: sha, User: "bob"},
		},
		"Buildkite": {
			map[string]string{
				"CI": "true", "BUILDKITE": "true", "BUILDKITE_PIPELINE_SLUG": "shop", "BUILDKITE_BUILD_ID": "018f2c-build", "BUILDKITE_BUILD_NUMBER": "7",
				"BUILDKITE_JOB_ID": "018f2c-job", "BUILDKITE_RETRY_COUNT": "0", "BUILDKITE_COMMIT": sha,
				"BUILDKITE_BUILD_CREATOR": "Bob", "BUILDKITE_BUILD_CREATOR_EMAIL": "bob@example.com",
			},
			map[string]string{"BUILDKITE_JOB_ID": "018f2d-job", "BUILDKITE_RETRY_COUNT": "1"},
			ci.Run{Project: "shop", ID: "018f2c-build", Commit: sha, User: "bob@example.com"},
		},
		"Azure Pipelines": {
			map[string]string{
				"TF_BUILD": "True", "BUILD_REPOSITORY_NAME": "acme/shop", "SYSTEM_TEAMPROJECT": "Acme", "ENVIRONMENT_NAME": "production",
				"BUILD_BUILDID": "4711", "BUILD_BUILDNUMBER": "20260304.1", "SYSTEM_STAGEATTEMPT": "1", "SYSTEM_JOBATTEMPT": "1", "BUILD_SOURCEVERSION": sha,
				"BUILD_REQUESTEDFOR": "Bob", "BUILD_REQUESTEDFOREMAIL": "bob@example.com", "SYSTEM_PIPELINESTARTTIME": "2026-03-04 10:00:00+00:00",
			},
			map[string]string{"SYSTEM_STAGEATTEMPT": "2", "SYSTEM_JOBATTEMPT": "2"},
			ci.Run{Project: "shop", Environment: "production", ID: "4711", Commit: sha, User: "bob@example.com", Start: "2026-03-04 10:00:00+00:00"},
		},
		"Bitbucket Pipelines": {
			map[string]string{
				"CI": "true", "BITBUCKET_BUILD_NUMBER": "12", "BITBUCKET_STEP_RUN_NUMBER": "1", "BITBUCKET_REPO_SLUG": "shop", "BITBUCKET_REPO_FULL_NAME": "acme/shop",
				"BITBUCKET_PIPELINE_UUID": "{11111111}", "BITBUCKET_DEPLOYMENT_ENVIRONMENT": "production", "BITBUCKET_COMMIT": sha,
			},
			map[string]string{"BITBUCKET_STEP_RUN_NUMBER": "2"},
			ci.Run{Project: "shop", Environment: "production", ID: "12", Commit: sha},
		},
		"Argo Workflows": {
			map[string]string{
				"ARGO_NODE_ID": "shop-x7k2p-12345", "ARGO_CONTAINER_NAME": "main", "ARGO_WORKFLOW_NAME": "shop-x7k2p", "ARGO_WORKFLOW_UID": "6e2f-uid",
				"ARGO_WORKFLOW_PROJECT": "shop", "ARGO_WORKFLOW_ENVIRONMENT": "production", "ARGO_WORKFLOW_COMMIT": sha, "ARGO_WORKFLOW_CREATED_AT": "2026-03-04T10:00:00Z",
			},
			map[string]string{"ARGO_NODE_ID": "shop-x7k2p-67890"},
			ci.Run{Project: "shop", Environment: "production", ID: "6e2f-uid", Commit: sha, Start: "2026-03-04T10:00:00Z"},
		},
	}
}
