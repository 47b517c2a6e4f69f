#!/usr/bin/env bash
# Clients that tests run against a started server. Each is installed into ${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}, unless that
# has been done; each command prints the path that tests are given.
#
#   clients.sh node      a Node that matrix-js-sdk can run on, from npm; `node` itself where it is new enough
set -euo pipefail

readonly node_version=24.22.3
readonly cache=${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}

say() { printf 'clients: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

# Has a folder of the cache filled by a function, which is given an empty folder; nobody ever sees half of it
filled() {
  local folder=$cache/$1 fill=$2 new=$cache/$1.$$
  if [[ ! -d $folder ]]; then
    mkdir -p "$new"
    # shellcheck disable=SC2064
    trap "rm -rf '$new'" EXIT
    say "installing $1"
    "$fill" "$new" >&2
    # Another run may have been faster; `mv` would then move it into what that one made.
    node -e 'require("fs").renameSync(...process.argv.slice(1))' "$new" "$folder" 2>/dev/null ||
      [[ -d $folder ]] || fail "could not make $folder"
  fi
  echo "$folder"
}

platform() { node -p 'process.platform + "-" + process.arch'; }

install_node() {
  npm install --prefix "$1" --no-save --no-audit --no-fund --ignore-scripts "node-$(platform)@$node_version"
}

node_22() {
  if node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 22 ? 1 : 0)'; then
    command -v node
  else
    local folder
    folder=$(filled "node-$node_version" install_node)
    echo "$folder/node_modules/node-$(platform)/bin/node"
  fi
}

[[ $# == 1 ]] || usage
case $1 in
  node) node_22 ;;
  *) usage ;;
esac
