#!/bin/sh
# Installs a release of em-metrics on Linux or macOS, verified by its checksum:
#
#   sh install.sh VERSION FOLDER
#
# EM_METRICS_DOWNLOADS replaces the address of the releases, such as by a mirror. The
# GitLab template and the CircleCI orb contain the same function, because they cannot
# refer to a file.

em_metrics_install() (
  version=${1#v} folder=$2
  url=${EM_METRICS_DOWNLOADS:-https://github.com/em-metrics/em-metrics/releases/download}/v$version
  case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) echo "there is no archive for $(uname -s)" >&2; exit 1 ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) system=${system}_amd64 ;;
    aarch64 | arm64) system=${system}_arm64 ;;
    *) echo "there is no archive for $(uname -m)" >&2; exit 1 ;;
  esac
  archive=em-metrics_${version}_$system.tar.gz
  get() {
    if command -v curl >/dev/null; then
      curl --silent --show-error --fail --location --retry 2 --connect-timeout 5 --max-time 60 --output "$1" "$url/$1"
    else
      wget -q -T 60 -O "$1" "$url/$1"
    fi
  }
  verify() {
    if command -v sha256sum >/dev/null; then sha256sum -c "$1"; else shasum -a 256 -c "$1"; fi
  }
  mkdir -p "$folder" && cd "$folder" && get "$archive" && get checksums.txt &&
    awk -v archive="$archive" '$2 == archive' checksums.txt >checksum && [ -s checksum ] &&
    verify checksum >/dev/null && tar -xzf "$archive" em-metrics
)

em_metrics_install "${1:?missing version}" "${2:?missing folder}"
