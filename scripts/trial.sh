# What the trials with real systems share (fresh-host/try.sh, container/try.sh); they source it. A trial works in the
# folder $work, defines clean_up, and is over after $limit seconds, whatever hangs.
# shellcheck shell=bash
# Where the programs of administrators are, whoever's shell this is.
export PATH="$PATH:/usr/sbin:/sbin"
readonly mirror=${MIRROR:-http://deb.debian.org/debian} limit=${LIMIT_SECONDS:-900}

skip() {
  echo "skipped: $1"
  [ -z "${CI:-}" ] && exit 0 || exit 1
}

step() { echo "== $*"; }

# begin_trial SENTENCE: the sentence is said at the end when all went well.
begin_trial() {
  success=$1
  work=$(mktemp -d)
  chmod 755 "$work"
  trap end_trial EXIT
  trap 'exit 130' INT TERM
  (
    for ((second = 0; second < limit; second++)); do sleep 1; done
    kill -TERM $$
  ) >/dev/null 2>&1 &
  guard=$!
}

end_trial() {
  local code=$?
  trap - EXIT
  clean_up "$code" || true
  kill "$guard" 2>/dev/null || true
  rm -rf "$work"
  [ "$code" = 0 ] && echo "$success" || echo "failed (exit code $code)"
  exit "$code"
}

# until_true WHAT COMMAND...: tries it for a minute, twice a second.
until_true() {
  local what=$1 left=120
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "waited in vain for $what"; return 1; }
    sleep 0.5
  done
}

# debian FOLDER PACKAGES PROBE: a root of Debian with these packages, unless the file PROBE in it shows that it is there.
debian() {
  [ ! -e "$1/$3" ] || return 0
  debootstrap --variant=minbase --include="$2" bookworm "$1" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail -5 "$work/debootstrap.log"; skip "debootstrap can't reach $mirror"; }
}

# with_node ROOT PREFIX: copies Node and npm of this machine there.
with_node() {
  local to="$1/$2" npm
  install -D "$(readlink -f "$(command -v node)")" "$to/bin/node"
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  mkdir -p "$to/lib/node_modules"
  rm -rf "$to/lib/node_modules/npm"
  cp -a "$npm" "$to/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$to/bin/npm"
}
