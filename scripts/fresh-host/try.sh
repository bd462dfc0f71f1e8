#!/usr/bin/env bash
# Tries the whole installation on fresh hosts: three root folders of Debian (debootstrap), each with its own systemd
# in namespaces, and Node copied from this machine. a and b become controller hosts, c a worker host, by the archive
# and `understudy install` alone. Needs root, Linux with cgroups of version 2 and overlayfs, debootstrap and a mirror;
# without them it says so and ends with 0 (with CI=1 in the environment: with 1). Takes two to six minutes; what it
# starts and mounts is gone afterwards, however it ends.
#
#   scripts/fresh-host/try.sh [--base FOLDER]   # FOLDER: a root of debootstrap to use again; made if it is missing
set -euo pipefail
checkout=$(cd "$(dirname "$0")/../.." && pwd)
readonly checkout here="$checkout/scripts/fresh-host"
. "$checkout/scripts/trial.sh"
base=''
if [ "${1:-}" = --base ]; then base=$2; fi

cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ "$(id -u)" = 0 ] || skip 'only root can make namespaces and mounts'
command -v debootstrap >/dev/null || skip 'debootstrap is not on this machine'
grep -q overlay /proc/filesystems || modprobe overlay 2>/dev/null || skip 'this kernel has no overlayfs'
[ -n "$cgroups" ] || skip 'no cgroups of version 2 are mounted'

readonly net="understudy-fresh-$$"
declare -A boots=()
postgres=''

clean_up() {
  # The end of a first process is the end of its namespace, with all that is in it.
  for host in "${!boots[@]}"; do kill -KILL "${boots[$host]}" 2>/dev/null || true; done
  [ -z "$postgres" ] || kill -TERM "$postgres" 2>/dev/null || true
  # Without a name it would wait for whatever runs.
  for each in "${boots[@]}" $postgres; do wait "$each" 2>/dev/null || true; done
  for host in a b c; do
    umount "$work/hosts/$host" 2>/dev/null || true
    find "$cgroups/$net-$host" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done
  ip netns delete "$net" 2>/dev/null || true
}
begin_trial 'the installation works on fresh hosts'

# Runs a command on a host.
on() {
  local host=$1
  shift
  nsenter --target "${firsts[$host]}" --mount --pid --ipc --uts --cgroup --net --root \
    /usr/bin/env -i --chdir=/ PATH=/usr/local/bin:/usr/sbin:/usr/bin "$@"
}

# The same in a shell that has the secrets of the host, as an operator would.
op() { on "$1" sh -c "set -a; for file in /etc/understudy/*.env; do . \$file; done; set +a; $2"; }

step 'the archive'
(cd "$checkout" && node scripts/dist/package/main.js --out "$work")

step 'a root of Debian with Node and the archive in it'
[ -n "$base" ] || base="$work/base"
debian "$base" systemd,libatomic1 lib/systemd/systemd
mkdir -p "$work/hosts"
lower="$work/lower"
mkdir "$lower"
cp -a "$base/." "$lower"
with_node "$lower" usr
rm -f "$lower/etc/machine-id"
cp "$work"/understudy-*.tgz "$lower/root/understudy.tgz"
mkdir -p "$lower/etc/systemd/system"
# These want hardware, a terminal of the machine, or a network of their own.
for unit in getty.target console-getty.service systemd-udevd.service systemd-logind.service \
  systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount; do
  ln -sf /dev/null "$lower/etc/systemd/system/$unit"
done
chroot "$lower" /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin HOME=/nonexistent npm_config_cache=/tmp/npm \
  npm install -g --offline --prefix /usr/local /root/understudy.tgz
rm -rf "$lower/tmp/npm"

step 'PostgreSQL, and three hosts that boot'
ip netns add "$net"
ip -n "$net" link set lo up
cat >"$work/postgres.mjs" <<SCRIPT
import { startPostgres } from '$checkout/scripts/dist/postgres/start.js';
import { writeFileSync } from 'node:fs';
const server = await startPostgres({ dataDir: '$work/postgres', port: 5432 });
process.on('SIGTERM', () => server.stop().finally(() => process.exit()));
writeFileSync('$work/url', server.url);
SCRIPT
ip netns exec "$net" node "$work/postgres.mjs" &
postgres=$!
declare -A firsts=()
for host in a b c; do
  mkdir -p "$work/over/$host/upper" "$work/over/$host/work" "$work/hosts/$host" "$cgroups/$net-$host"
  mount -t overlay overlay "$work/hosts/$host" \
    -o "lowerdir=$lower,upperdir=$work/over/$host/upper,workdir=$work/over/$host/work"
  # Its cgroup is the root of all cgroups that it sees.
  (
    echo "$BASHPID" >"$cgroups/$net-$host/cgroup.procs"
    exec ip netns exec "$net" unshare --mount --pid --fork --cgroup --ipc --uts --kill-child \
      "$here/boot.sh" "$work/hosts/$host"
  ) >"$work/$host.boot" 2>&1 &
  boots[$host]=$!
  children="/proc/${boots[$host]}/task/${boots[$host]}/children"
  until_true "$host to have a first process" grep -q . "$children"
  firsts[$host]=$(tr -d ' ' <"$children")
done
for host in a b c; do until_true "systemd of $host" on "$host" systemctl is-active multi-user.target; done
until_true PostgreSQL test -s "$work/url"

step 'understudy install controller, on a and b'
on a understudy install controller --pair fresh --node a --address 127.0.0.11 --peer 127.0.0.12
on b understudy install controller --pair fresh --node b --address 127.0.0.12 --peer 127.0.0.11 >/dev/null
token=$(on a sed -n "s/^UNDERSTUDY_TOKEN='\(.*\)'/\1/p" /etc/understudy/understudy.env)
for host in a b; do
  # All hosts of this trial share a network, so each listens on an address of its own.
  own=127.0.0.11
  [ "$host" = a ] || own=127.0.0.12
  on "$host" sh -c 'umask 077; cat >/etc/understudy/understudy.env' <<SECRETS
UNDERSTUDY_TOKEN='$token'
UNDERSTUDY_DATABASE='$(cat "$work/url")'
UNDERSTUDY_HEARTBEAT_LISTEN='$own:7400'
UNDERSTUDY_CONTROLLER_LISTEN='$own:7300'
SECRETS
  on "$host" systemd-analyze verify /etc/systemd/system/understudy-controller.service
  op "$host" 'runuser -u understudy -- understudy config check'
done
op a 'runuser -u understudy -- understudy create'
on a cat /var/lib/understudy/keystore |
  on b sh -c 'umask 077; cat >/var/lib/understudy/keystore; chown understudy /var/lib/understudy/keystore'
for host in a b; do on "$host" systemctl enable --quiet --now understudy-controller; done
until_true 'one active and a ready passive' op a 'understudy status'
on a systemctl show --property=Type,NotifyAccess,StatusText,WatchdogUSec,NRestarts understudy-controller

step 'understudy install agent, on c'
agent_token=$(op a 'understudy token create c --role agent --agent c' | grep -Eo '[A-Za-z0-9_-]{30,}' | tail -1)
on c understudy install agent --pair fresh --agent c --controller http://127.0.0.11:7300 \
  --controller http://127.0.0.12:7300 >/dev/null
echo "UNDERSTUDY_TOKEN='$agent_token'" | on c sh -c 'umask 077; cat >/etc/understudy/agent.env'
on c systemd-analyze verify /etc/systemd/system/understudy-agent.service
on c systemctl enable --quiet --now understudy-agent
until_true 'the agent' op a 'understudy agent list | grep -q "c .*connected"'

step 'a job'
printf 'name: greet\nshell: echo "hello from $(hostname) as $(id -un)"; cat /proc/self/cgroup\n' |
  on a sh -c 'cat >/root/greet.yaml'
op a 'understudy job apply -f /root/greet.yaml && understudy job run greet --follow' | tee "$work/job"
grep -q 'hello from c as understudy-agent' "$work/job"
grep -q 'understudy-agent.service/understudy-agent-' "$work/job"

step 'doctor'
op a 'understudy doctor'
op c 'understudy doctor'

step 'a heartbeat that hangs is found by the watchdog, killed and started again'
on b systemctl kill --kill-whom=main --signal=STOP understudy-controller
restarted() { [ "$(on b systemctl show --property=NRestarts --value understudy-controller)" -ge 1 ]; }
until_true 'the watchdog' restarted
until_true 'one active and a ready passive' op a 'understudy status'

step 'a stop of the active hands its role over'
on a systemctl stop understudy-controller
on a systemctl show --property=Result,ExecMainStatus understudy-controller
moved() { op b 'understudy status --json || true' | grep -q '"node": "b"' && op b 'understudy job list'; }
until_true 'b to serve' moved
op b 'understudy job run greet --wait'
on a systemctl start understudy-controller
until_true 'one active and a ready passive' op b 'understudy status'

step 'and all of it is taken away'
on c understudy install agent --uninstall --purge
for path in etc/understudy etc/systemd/system/understudy-agent.service var/lib/understudy-agent; do
  if on c test -e "/$path"; then echo "/$path was left"; exit 1; fi
done
if on c id understudy-agent; then echo 'the account was left'; exit 1; fi
