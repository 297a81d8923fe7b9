#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Boots a Debian tree with systemd in namespaces of its own, but for the network, which is the caller's.
#
#   test/lab/debian-box.sh ROOT NAME
#
# NAME is that of its group of processes, which systemd needs as the root of its groups. Ends when the box
# is powered off.
set -eu
root=$1 name=$2

inside='set -eu
cd "$1"
mount --make-rprivate /
mount --bind . .
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for node in null zero full random urandom tty; do
	touch "dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
pivot_root . mnt
umount -l /mnt
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /lib/systemd/systemd'

boot='set -eu
groups=$1/mnt
mount --make-rprivate /
mount -t cgroup2 none "$groups"
mkdir "$groups/$2"
echo $$ >"$groups/$2/cgroup.procs"
setpriv --pdeathsig KILL unshare --cgroup --pid --fork --mount --uts --ipc --kill-child \
	sh -c "$3" inside "$1" || true
echo $$ >"$groups/cgroup.procs"
find "$groups/$2" -depth -type d -exec rmdir {} +'

exec unshare --mount sh -c "$boot" boot "$root" "$name" "$inside"
