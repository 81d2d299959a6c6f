#!/usr/bin/env bash
# The script of the action. The inputs are in variables that begin with INPUT_.
set -uo pipefail

warn() { echo "::warning title=em-metrics::$*"; }

[ -z "$INPUT_URL" ] || export EM_METRICS_URL=$INPUT_URL
[ -z "$INPUT_TOKEN" ] || export EM_METRICS_TOKEN=$INPUT_TOKEN
unset INPUT_TOKEN

flags=(-environment "$INPUT_ENVIRONMENT")
[ -z "$INPUT_PROJECT" ] || flags+=(-project "$INPUT_PROJECT")
[ -z "$INPUT_ID" ] || flags+=(-id "$INPUT_ID")
[ -z "$INPUT_COMMIT" ] || flags+=(-commit "$INPUT_COMMIT")
while IFS= read -r folder; do
  [ -z "$folder" ] || flags+=(-path "$folder")
done <<<"$INPUT_PATHS"

em_metrics() {
  local folder=${RUNNER_TEMP:-/tmp}/em-metrics
  PATH=$PATH:$folder
  command -v em-metrics >/dev/null && return
  [ -n "$INPUT_VERSION" ] && sh "$ACTION_PATH/../../../ci/install.sh" "$INPUT_VERSION" "$folder" && return
  warn "nothing is recorded: em-metrics could not be installed (version: ${INPUT_VERSION:-not set})"
  return 1
}

case $INPUT_COMMAND in
  run)
    script=(bash --noprofile --norc -eo pipefail -c "$INPUT_RUN")
    if em_metrics; then
      exec em-metrics deploy run "${flags[@]}" -- "${script[@]}"
    fi
    exec "${script[@]}"
    ;;
  start | finish | abort) em_metrics && em-metrics deploy "$INPUT_COMMAND" -soft "${flags[@]}" ;;
  *)
    echo "::error title=em-metrics::the input command is $INPUT_COMMAND: it must be run, start, finish or abort"
    exit 2
    ;;
esac
exit 0
