#!/usr/bin/env bash
# Tries the image and the compose file with a real engine (podman, podman-compose, runc): builds the image, starts the
# pair, its agents, PostgreSQL and HAProxy in a network of their own, runs jobs, kills the active controller and stops
# its container. No registry of images is asked: Debian packages (debootstrap) with Node of this machine stand in for
# the images that the files name. Needs root, and what it names when it is missing; without that it says so and ends
# with 0 (with CI=1 in the environment: with 1). Takes two to four minutes; what it starts and makes is gone afterwards.
#
#   scripts/container/try.sh [--base FOLDER]   # FOLDER: a root of debootstrap to use again; made if it is missing
set -euo pipefail
checkout=$(cd "$(dirname "$0")/../.." && pwd)
readonly checkout
. "$checkout/scripts/trial.sh"
base=''
if [ "${1:-}" = --base ]; then base=$2; fi

[ "$(id -u)" = 0 ] || skip 'only root can make namespaces and mounts'
for each in debootstrap:debootstrap podman:podman podman-compose:podman-compose buildah:buildah runc:runc \
  catatonit:catatonit iptables:iptables nsenter:util-linux; do
  command -v "${each%:*}" >/dev/null || [ -x "/usr/libexec/podman/${each%:*}" ] ||
    skip "${each%:*} is not on this machine (Debian: apt-get install ${each#*:})"
done
[ -x /usr/lib/podman/netavark ] && [ -x /usr/lib/podman/aardvark-dns ] ||
  skip 'the network of podman is not on this machine (Debian: apt-get install netavark aardvark-dns)'

readonly net="understudy-containers-$$"
# Whether podman knows nothing but what this trial has made.
is_apart=''

# Within its own network. `ip netns exec` would hide the cgroups.
inside() { nsenter --net="/run/netns/$net" "$@"; }
compose() { inside podman-compose -p "$net" --podman-build-args='--isolation chroot --pull=never' -f "$work/src/scripts/container/compose.yaml" "$@"; }

clean_up() {
  [ -n "$is_apart" ] || return 0
  if [ "$1" != 0 ]; then
    for name in database a b w1 front; do
      echo "-- $name"
      podman logs "${net}_${name}_1" 2>&1 | tail -20 || true
    done
  fi
  compose down -v >/dev/null 2>&1 || true
  podman rm -af >/dev/null 2>&1 || true
  ip netns delete "$net" 2>/dev/null || true
}
begin_trial 'the containers work'

mkdir "$work/networks"
cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
runroot = "$work/run"
graphroot = "$work/graph"
CONF
# The limits of this machine are those of a container: only who may raise them could set others.
cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "$work/networks"
CONF
export CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_CONF="$work/containers.conf"
is_apart=yes

# Runs a command of Understudy in a container.
on() {
  local name=$1
  shift
  inside podman exec "${net}_${name}_1" understudy-entry "$@"
}

ask() { inside curl -sS --max-time 10 -H "Authorization: Bearer $UNDERSTUDY_TOKEN" "$@"; }

step 'what stands in for the images of others'
[ -n "$base" ] || base="$work/base"
debian "$base" libatomic1,postgresql,haproxy usr/sbin/haproxy
with_node "$base" usr/local

# As the image of PostgreSQL does, as far as the compose file has use for it.
cat >"$base/usr/local/bin/postgres-entry" <<'ENTRY'
#!/bin/sh
set -eu
data=/var/lib/postgresql/data bin=$(ls -d /usr/lib/postgresql/*/bin)
install -d -o postgres -g postgres -m 700 "$data"
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
if [ ! -s "$data/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" | install -o postgres -m 600 /dev/stdin /tmp/password
  as "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --auth=scram-sha-256 --pwfile=/tmp/password >/dev/null
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  echo "create database $POSTGRES_DB" | as "$bin/postgres" --single -D "$data" postgres >/dev/null
fi
cd "$data"
exec setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$data" \
  -c listen_addresses='*' -c unix_socket_directories=
ENTRY
chmod 755 "$base/usr/local/bin/postgres-entry"
tar -C "$base" -cf "$work/base.tar" .
podman import -q "$work/base.tar" docker.io/library/node:20-bookworm-slim >/dev/null 2>&1
podman import -q --change 'ENTRYPOINT ["/usr/local/bin/postgres-entry"]' "$work/base.tar" \
  docker.io/library/postgres:16-bookworm >/dev/null 2>&1
podman import -q --change 'USER haproxy' \
  --change 'ENTRYPOINT ["/usr/sbin/haproxy","-W","-db","-f","/usr/local/etc/haproxy/haproxy.cfg"]' "$work/base.tar" \
  docker.io/library/haproxy:3.0 >/dev/null 2>&1
rm "$work/base.tar"

step 'the image, by its own file'
mkdir -p "$work/src/scripts"
cp -a "$checkout/scripts/container" "$work/src/scripts/"
(cd "$checkout" && node scripts/dist/package/main.js --out "$work/src")
ip netns add "$net"
ip -n "$net" link set lo up
export UNDERSTUDY_TOKEN POSTGRES_PASSWORD
UNDERSTUDY_TOKEN=$(node -p 'crypto.randomBytes(32).toString("hex")')
POSTGRES_PASSWORD=$(node -p 'crypto.randomBytes(16).toString("hex")')
compose up -d --build >"$work/compose.log" 2>&1 || { tail -20 "$work/compose.log"; exit 1; }

step 'a pair, two agents, and users at the front'
is_whole() { on a status && on a agent list | grep -q 'w1 .*connected' && on a agent list | grep -q 'w2 .*connected'; }
until_true 'one active, a ready passive and two agents' is_whole
on a status
until_true 'the front' ask -f http://127.0.0.1:7300/api/v1/pair
printf 'name: greet\nshell: echo "hello from run $UNDERSTUDY_RUN as $(id -un)"\n' >"$work/greet.yaml"
podman cp "$work/greet.yaml" "${net}_a_1:/tmp/greet.yaml"
on a job apply -f /tmp/greet.yaml
on a job run greet --follow | tee "$work/job"
grep -q 'hello from run .* as understudy' "$work/job"

active() { on "$1" status --json | node -p "JSON.parse(require('fs').readFileSync(0)).heartbeats.find((each) => each.status?.role === 'active').status.$2"; }
is_active() { [ "$(active "$1" node)" = "$1" ]; }

step 'the active controller is killed: users wait for the next one, and nobody is refused'
was=$(active a node)
other=$([ "$was" = a ] && echo b || echo a)
inside podman exec "${net}_${was}_1" sh -c "kill -9 $(active "$was" controller.pid)"
for try in 1 2 3 4 5 6 7 8; do
  ask -o /dev/null -w '%{http_code} after %{time_total} s\n' http://127.0.0.1:7300/api/v1/pair
done | tee "$work/answers"
if grep -qv '^200 ' "$work/answers"; then echo 'a user was refused'; exit 1; fi
until_true 'the other host to be active, and this one to be ready' on "$other" status
until_true "$other to be active" is_active "$other"
on "$other" job run greet --wait

step 'the container of the active is stopped: its role is handed over'
inside podman stop -t 60 "${net}_${other}_1" >/dev/null 2>&1
[ "$(podman inspect --format '{{.State.ExitCode}}' "${net}_${other}_1")" = 0 ]
# The names of containers are served anew when one of them goes: for a moment none may be found.
until_true "$was to be active" is_active "$was"
ask -f -o /dev/null http://127.0.0.1:7300/api/v1/pair
inside podman start "${net}_${other}_1" >/dev/null 2>&1
until_true 'one active and a ready passive' on "$was" status
on "$was" job run greet --wait

step 'a container that names no mode says what is expected'
if inside podman run --rm --network none understudy 2>"$work/refused"; then exit 1; fi
grep 'expected HA_INIT, HA or AGENT' "$work/refused"
