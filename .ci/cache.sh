# For scripts beside it, which `source` it and name themselves in `me`: what is installed once, and kept between runs in
# ${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}
readonly cache=${ANNALS_CI_CACHE:-$HOME/.cache/annals-ci}

say() { printf '%s: %s\n' "$me" "$*" >&2; }
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

# Makes a folder the home of a Python of its own, with some packages
python_with() {
  # Debian has what makes such a folder in a package of its own.
  python3 -m venv "$1" || { from_debian python3-venv && python3 -m venv --clear "$1"; }
  "$1/bin/python" -m pip install --quiet "${@:2}"
}
