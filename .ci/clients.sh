#!/usr/bin/env bash
# Clients that tests run against a started server. Each is installed into ${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}, unless that
# has been done; each command prints the path that tests are given.
#
#   clients.sh node      a Node that matrix-js-sdk can run on, from npm; `node` itself where it is new enough
#   clients.sh nio       a Python with matrix-nio and its encryption (CLIENT_NIO); needs Python 3.10 or later
#   clients.sh bot-sdk   a folder with matrix-bot-sdk, without encryption (CLIENT_BOT_SDK)
#   clients.sh hydrogen  a folder with Hydrogen, what drives a browser, and Chromium, which is Debian's (CLIENT_HYDROGEN)
#   clients.sh rust      the program of test/clients/rust, built (CLIENT_RUST); needs Cargo with Rust 1.95, and minutes the first time
set -euo pipefail
shopt -s inherit_errexit

readonly node_version=24.22.3
readonly nio_version=0.26.0
readonly bot_sdk_version=0.8.0
readonly hydrogen_version=0.3.1
readonly playwright_version=1.65.1
readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
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

# Installs packages of Debian where that can be done
from_debian() {
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then return 1; fi
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
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

install_nio() {
  # Debian has what makes such a folder in a package of its own.
  python3 -m venv "$1" || { from_debian python3-venv && python3 -m venv --clear "$1"; }
  "$1/bin/python" -m pip install --quiet "matrix-nio[e2e]==$nio_version"
}

nio() {
  command -v python3 >/dev/null || fail "there is no 'python3' on the PATH"
  local folder
  folder=$(filled "nio-$nio_version" install_nio)
  echo "$folder/bin/python"
}

install_bot_sdk() {
  npm install --prefix "$1" --no-save --no-audit --no-fund --ignore-scripts "matrix-bot-sdk@$bot_sdk_version"
}

install_hydrogen() {
  npm install --prefix "$1" --no-save --no-audit --no-fund --ignore-scripts \
    "hydrogen-view-sdk@$hydrogen_version" "playwright-core@$playwright_version"
}

hydrogen() {
  # The font is for the pictures.
  command -v chromium >/dev/null || from_debian chromium fonts-noto-color-emoji || fail "there is no 'chromium' on the PATH"
  local folder
  folder=$(filled "hydrogen-$hydrogen_version-$playwright_version" install_hydrogen)
  ln -sfn "$(command -v chromium)" "$folder/chromium"
  echo "$folder"
}

build_rust() {
  # What it is made of stays built between its versions.
  CARGO_TARGET_DIR=$cache/rust-target cargo build --locked --quiet --manifest-path "$root/test/clients/rust/Cargo.toml"
  cp "$cache/rust-target/debug/annals-client" "$1/"
}

rust() {
  command -v cargo >/dev/null || fail "there is no 'cargo' on the PATH"
  local version folder
  version=$(cd "$root/test/clients/rust" && cat Cargo.toml Cargo.lock src/*.rs | git hash-object --stdin)
  folder=$(filled "rust-client-$version" build_rust)
  echo "$folder/annals-client"
}

[[ $# == 1 ]] || usage
case $1 in
  node) node_22 ;;
  nio) nio ;;
  bot-sdk) filled "bot-sdk-$bot_sdk_version" install_bot_sdk ;;
  hydrogen) hydrogen ;;
  rust) rust ;;
  *) usage ;;
esac
