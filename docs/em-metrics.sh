#!/bin/sh
# Records a deployment in em-metrics from a job of GitHub Actions or GitLab CI.
# Copy this file into your repository and call it in the job:
#
#   sh em-metrics.sh start     before the deployment
#   sh em-metrics.sh finish    after it has succeeded
#
# It never fails a deployment and never delays it by more than a minute: every
# problem is a warning, and the exit status is 0. It needs git and curl 7.76 (2021)
# or later, and these variables:
#
#   EM_METRICS_URL            address of em-metrics, such as https://em-metrics.example.com
#   EM_METRICS_TOKEN          its token
#   DEPLOYMENT_ENVIRONMENT    default: that of the GitLab job, or production
#   COMMIT_BEFORE             on GitHub: ${{ github.event.before }}

id=${GITHUB_RUN_ID:-$CI_PIPELINE_ID} # the same when the job runs again, so that it counts once
project=${GITHUB_REPOSITORY##*/}
project=${project:-$CI_PROJECT_NAME}
environment=${DEPLOYMENT_ENVIRONMENT:-${CI_ENVIRONMENT_NAME:-production}}
user=${GITHUB_ACTOR:-$GITLAB_USER_LOGIN}
before=${COMMIT_BEFORE:-$CI_COMMIT_BEFORE_SHA}
state=$(git rev-parse --git-dir 2>/dev/null)/em-metrics-$id

warn() {
  if [ -n "$GITHUB_ACTIONS" ]; then
    echo "::warning title=em-metrics::$*" # shown on the page of the run
  else
    echo "WARNING: em-metrics: $*"
  fi
}

# first_commit prints the date of the oldest commit that is new in this deployment:
# since the newest tag before HEAD, or else since the previous push, or else HEAD
# itself. Author dates survive a rebase, and the order of commits is not that of
# their dates, so it is the earliest author date.
first_commit() {
  if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
    GIT_TERMINAL_PROMPT=0 timeout 30 git fetch --quiet --unshallow --tags || return
  fi
  previous=
  for commit in "$(git describe --tags --abbrev=0 HEAD^ 2>/dev/null)" "$before" HEAD^; do
    # Not if it is empty, all zeros, unknown here, or HEAD itself.
    if [ -n "$(git rev-list -n 1 "$commit..HEAD" -- 2>/dev/null)" ]; then
      previous=$commit
      break
    fi
  done
  TZ=UTC git log --date=iso-strict-local --format=%ad "${previous:+$previous..}HEAD" -- | sort -r | tail -n 1
}

# fields prints what both requests have in common.
fields() {
  first=$(first_commit)
  [ -n "$first" ] || return
  printf '"project_id": "%s", "environment": "%s", "first_commit_at": "%s", "user": "%s"' \
    "$project" "$environment" "$first" "$user"
}

# post sends a request and repeats it if that may help: not after an answer such as
# 400 or 422. The token is passed on standard input, where no other process sees it.
post() {
  answer=$(printf 'Authorization: Bearer %s\n' "$EM_METRICS_TOKEN" |
    curl --silent --show-error --fail-with-body --connect-timeout 3 --max-time 5 \
      --retry 2 --retry-connrefused --retry-max-time 10 \
      --header @- --header 'Content-Type: application/json' --data "$2" "${EM_METRICS_URL%/}$1" 2>&1)
}

not_recorded() { warn "the $1 of deployment $id was not recorded: $(printf '%s' "$2" | tr '\n' ' ')"; }

unknown="the first commit is unknown; the job needs the full history, with all tags"

start() {
  common=$(fields) || { not_recorded start "$unknown"; return; }
  # Sent only if this request fails: the service then has no start of its own.
  echo "$common, \"deploy_start_at\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"" >"$state"
  post /deployments "{\"id\": \"$id\", $common}" || { not_recorded start "$answer"; return; }
  echo "$common" >"$state"
}

finish() {
  # The deployment itself may have moved HEAD since the start.
  common=$(cat "$state" 2>/dev/null) || common=$(fields) || { not_recorded end "$unknown"; return; }
  post "/deployments/$id/deployed" "{\"create_if_not_exists\": true, $common}" || not_recorded end "$answer"
}

[ -n "$EM_METRICS_URL" ] || { warn "nothing is recorded: EM_METRICS_URL is not set"; exit 0; }
case $1 in
  start) start ;;
  finish) finish ;;
  *) warn "usage: em-metrics.sh start or finish" ;;
esac
exit 0
