#!/bin/sh
# Boots the systemd of a root folder; is started by try.sh in namespaces of its own (mount, pid, cgroup, ipc, uts).
set -eu
root=$1

mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
# Only what cannot touch the machine: no console, no disk.
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
basename "$root" >"$root/etc/hostname"

exec chroot "$root" /usr/bin/env -i container=understudy PATH=/usr/local/bin:/usr/sbin:/usr/bin \
  /lib/systemd/systemd --unit=multi-user.target --log-target=journal --show-status=0 </dev/null
