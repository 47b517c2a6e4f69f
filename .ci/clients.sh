#!/usr/bin/env bash
# Clients that tests run against a started server. Each is installed into ${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}, unless that
# has been done; each command prints the path that tests are given.
#
#   clients.sh node      a Node that matrix-js-sdk can run on, from npm; `node` itself where it is new enough
#   clients.sh nio       a Python with matrix-nio and its encryption (CLIENT_NIO); needs Python 3.10 or later
#   clients.sh mautrix   a Python with mautrix and matrix-nio, both with encryption (CLIENT_MAUTRIX); needs CMake and a C++ compiler too
#   clients.sh bot-sdk   a folder with matrix-bot-sdk, without encryption (CLIENT_BOT_SDK)
#   clients.sh bridge    a folder with matrix-appservice-bridge, without encryption (CLIENT_BRIDGE)
#   clients.sh hydrogen  a folder with Hydrogen, and Chromium, which is Debian's (CLIENT_HYDROGEN)
#   clients.sh rust      the program of test/clients/rust, built (CLIENT_RUST); needs Cargo with Rust 1.95, and minutes the first time
set -euo pipefail
shopt -s inherit_errexit

readonly node_version=24.22.3
readonly nio_version=0.26.0
readonly mautrix_version=0.21.1
readonly bot_sdk_version=0.8.0
readonly bridge_version=11.2.0
readonly hydrogen_version=0.3.1
readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly me=clients
# shellcheck source=.ci/cache.sh
source "$root/.ci/cache.sh"

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

install_nio() { python_with "$1" "matrix-nio[e2e]==$nio_version"; }

nio() {
  command -v python3 >/dev/null || fail "there is no 'python3' on the PATH"
  local folder
  folder=$(filled "nio-$nio_version" install_nio)
  echo "$folder/bin/python"
}

install_mautrix() { python_with "$1" "mautrix[encryption]==$mautrix_version" "matrix-nio[e2e]==$nio_version"; }

mautrix() {
  command -v python3 >/dev/null || fail "there is no 'python3' on the PATH"
  # The machine code of its encryption is built.
  command -v cmake >/dev/null || from_debian cmake g++ make python3-dev || fail "there is no 'cmake' on the PATH"
  local folder
  folder=$(filled "mautrix-$mautrix_version-$nio_version" install_mautrix)
  echo "$folder/bin/python"
}

install_bot_sdk() {
  npm install --prefix "$1" --no-save --no-audit --no-fund --ignore-scripts "matrix-bot-sdk@$bot_sdk_version"
}

install_bridge() {
  npm install --prefix "$1" --no-save --no-audit --no-fund --ignore-scripts "matrix-appservice-bridge@$bridge_version"
}

install_hydrogen() {
  npm install --prefix "$1" --no-save --no-audit --no-fund --ignore-scripts "hydrogen-view-sdk@$hydrogen_version"
}

hydrogen() {
  # The font is for the pictures.
  command -v chromium >/dev/null || from_debian chromium fonts-noto-color-emoji || fail "there is no 'chromium' on the PATH"
  local folder
  folder=$(filled "hydrogen-$hydrogen_version" install_hydrogen)
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
  mautrix) mautrix ;;
  bot-sdk) filled "bot-sdk-$bot_sdk_version" install_bot_sdk ;;
  bridge) filled "bridge-$bridge_version" install_bridge ;;
  hydrogen) hydrogen ;;
  rust) rust ;;
  *) usage ;;
esac
