#!/usr/bin/env bash
# FerretDB on SQLite: a server for tests that speaks MongoDB's wire protocol. It is built from source by the Go toolchain.
#
#   ferretdb.sh install         builds it into ${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}, unless that has been done
#   ferretdb.sh start [port]    installs, starts an empty one on 127.0.0.1 (default port 27117) and prints its URL
#   ferretdb.sh stop [port]     ends it and removes its data
set -euo pipefail

readonly module=github.com/FerretDB/FerretDB
readonly version=v1.24.2
readonly repairs=2
readonly cache=${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}
readonly binary=$cache/ferretdb-$version-$repairs/ferretdb

say() { printf 'ferretdb: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

# Edits the only line that matches a pattern in one of FerretDB's files
edit() {
  local file=$build/source/$1
  [[ $(grep -c -- "$2" "$file") == 1 ]] || fail "$1 of $version is not what it was"
  sed "/$2/$3" "$file" >"$file.new"
  mv "$file.new" "$file"
}

install() {
  [[ ! -x $binary ]] || return 0
  command -v go >/dev/null || fail "there is no 'go' on the PATH: building FerretDB needs Go 1.24 or later"

  local build sources
  build=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$build'" EXIT

  # `go install` would build a binary that panics at its start: the version file that it embeds is not part of the
  # published module. So the module is copied, with the file added.
  say "building $version (a minute or two)"
  sources=$(go mod download -json "$module@$version") || fail "could not download $module@$version: $sources"
  sources=$(sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p' <<<"$sources")
  cp -R "$sources" "$build/source"
  chmod -R u+w "$build/source"
  echo "$version" >"$build/source/build/version/version.txt"

  # Four faults that must be repaired before it can stand in for MongoDB (raise `repairs` when these lines change):
  # - The index on _id is on another spelling of the expression than the one that is looked up, and so is never used.
  # - What an update finds holds one of 100 SQLite connections until the command's end: a bulk write that replaces 100
  #   documents waits for ever.
  # - Between the reading and the writing of an update, another can write: $inc loses counts, and a hundred updates at
  #   once have all the connections for reading and wait for ever for one to write with.
  # - A condition beside one on _id has it read the whole collection.
  edit internal/backends/sqlite/metadata/metadata.go "IDColumn = .*'\\$\._id'" "s/\\$\._id/_id/"
  local byId='if id, ok := must.NotFail(params.Filter.Get("_id")).(string); ok { whereClause = " WHERE " + metadata.IDColumn + " = ?"'
  edit internal/backends/sqlite/collection.go 'q += whereClause$' \
    "s/.*/if params.Filter.Len() > 1 \&\& params.Filter.Has(\"_id\") { $byId; args = []any{string(must.NotFail(sjson.MarshalSingleValue(id)))} } }; q += whereClause/"
  edit internal/handler/msg_update.go 'result, err := common\.UpdateDocument(' 's/$/; closer.Close()/'
  printf 'package handler\n\nimport "sync"\n\nvar turns sync.Mutex\n' >"$build/source/internal/handler/turns.go"
  edit internal/handler/msg_update.go '^func .* updateDocument(' 's/$/ turns.Lock(); defer turns.Unlock()/'
  edit internal/handler/msg_delete.go '^func .* execDelete(' 's/$/ turns.Lock(); defer turns.Unlock()/'
  edit internal/handler/msg_findandmodify.go '^func .* findAndModifyDocument(' 's/$/ turns.Lock(); defer turns.Unlock()/'

  # SQLite is compiled in unless ferretdb_no_sqlite is set, and is pure Go: no C compiler is needed.
  (
    cd "$build/source"
    CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -tags ferretdb_no_postgresql \
      -o ../ferretdb ./cmd/ferretdb >&2
  )
  "$build/ferretdb" --version >/dev/null

  # Moved within one file system, so that nobody ever sees half a binary
  mkdir -p "$(dirname "$binary")"
  cp "$build/ferretdb" "$binary.$$"
  mv -f "$binary.$$" "$binary"
  say "built $binary"
}

accepts() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# The process's id, if it runs and is ours: ids are given out anew
running() {
  local pid command
  pid=$(cat "$dir/pid" 2>/dev/null) || return 1
  command=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || ps -p "$pid" -o args= 2>/dev/null) || return 1
  [[ $command == *"--listen-addr=127.0.0.1:$port "* ]] || return 1
  echo "$pid"
}

start() {
  install
  ! running >/dev/null || fail "already running on port $port; to start afresh, stop it first"
  ! accepts || fail "port $port is taken by something else"

  rm -rf "$dir"
  mkdir -m 700 "$dir" "$dir/data"

  # Nothing here outlives a run, so SQLite need not wait for the disk
  nohup "$binary" --listen-addr="127.0.0.1:$port" --debug-addr=- --telemetry=disable --state-dir=- --log-level=error \
    --handler=sqlite --sqlite-url="file:$dir/data/?_pragma=synchronous(off)" </dev/null >"$dir/log" 2>&1 &
  local pid=$! _
  echo "$pid" >"$dir/pid"

  for _ in {1..300}; do
    kill -0 "$pid" 2>/dev/null || { cat "$dir/log" >&2; fail "it ended before it was ready"; }
    if accepts; then
      echo "mongodb://127.0.0.1:$port/"
      return
    fi
    sleep 0.1
  done
  stop
  fail "port $port did not accept connections within 30 seconds"
}

stop() {
  local pid _
  if pid=$(running); then
    kill "$pid" 2>/dev/null || true
    for _ in {1..100}; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
  fi
  rm -rf "$dir"
}

[[ $# -ge 1 && $# -le 2 ]] || usage
port=${2:-27117}
if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then fail "not a port: $port"; fi
readonly port dir=${TMPDIR:-/tmp}/annals-ferretdb-$UID-$port

case $1 in
  install | start | stop) "$1" ;;
  *) usage ;;
esac
