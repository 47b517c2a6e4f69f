#!/usr/bin/env bash
# Homeservers of other makers that tests federate with, what carries calls, and a directory of users. Each is installed into ${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}, unless
# that has been done; each command prints the path that tests are given.
#
#   servers.sh synapse    a Python with Synapse (SERVER_SYNAPSE); needs Python 3.10 or later
#   servers.sh dendrite   Dendrite's program (SERVER_DENDRITE); needs Go, and minutes the first time
#   servers.sh livekit    LiveKit's program (SERVER_LIVEKIT), which carries calls; needs Go, and minutes the first time
#   servers.sh slapd      a folder with OpenLDAP's slapd, of Debian's packages (SERVER_SLAPD); needs Debian
set -euo pipefail
shopt -s inherit_errexit

readonly me=servers
# shellcheck source=.ci/cache.sh
source "$(dirname "${BASH_SOURCE[0]}")/cache.sh"
readonly synapse_version=1.163.2
readonly dendrite_version=0.13.8
# `go install` takes none that replaces modules of others, as the newest do.
readonly livekit_version=1.9.11

install_synapse() { python_with "$1" "matrix-synapse==$synapse_version"; }

synapse() {
  command -v python3 >/dev/null || fail "there is no 'python3' on the PATH"
  local folder
  folder=$(filled "synapse-$synapse_version" install_synapse)
  echo "$folder/bin/python"
}

build_dendrite() {
  GOBIN=$1 go install -trimpath -ldflags '-s -w' "github.com/matrix-org/dendrite/cmd/dendrite@v$dendrite_version"
}

dendrite() {
  command -v go >/dev/null || fail "there is no 'go' on the PATH"
  local folder
  folder=$(filled "dendrite-$dendrite_version" build_dendrite)
  echo "$folder/dendrite"
}

build_livekit() {
  GOBIN=$1 go install -trimpath -ldflags '-s -w' "github.com/livekit/livekit-server/cmd/server@v$livekit_version"
  mv "$1/server" "$1/livekit-server"
}

livekit() {
  command -v go >/dev/null || fail "there is no 'go' on the PATH"
  local folder
  folder=$(filled "livekit-$livekit_version" build_livekit)
  echo "$folder/livekit-server"
}

# Unpacked and not installed: nothing is to run but what a test starts.
unpack_slapd() {
  local needs
  needs=$(apt-cache depends slapd | sed -n 's/^ *Depends: \(lib[^ <>]*\)$/\1/p' | grep -vxE 'libc6|libperl.*')
  (cd "$1" && apt-get download -qq slapd $needs && for package in *.deb; do dpkg-deb -x "$package" . && rm "$package"; done)
}

slapd() {
  command -v dpkg-deb >/dev/null && apt-cache show slapd >/dev/null 2>&1 || fail "there is no package 'slapd' to be had"
  filled slapd unpack_slapd
}

[[ $# == 1 ]] || usage
case $1 in
  synapse) synapse ;;
  dendrite) dendrite ;;
  livekit) livekit ;;
  slapd) slapd ;;
  *) usage ;;
esac
