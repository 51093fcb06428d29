#!/bin/sh
# Makes a folder with a Debian the root of this mount namespace, and runs a command in its /srv/mailweir.
#
# Only in-debian.sh calls it, as the first process of new namespaces for mounts and processes: everything mounted here ends with
# it.
#
#   enter-debian.sh ROOT SHARED "FOLDER..." COMMAND...
#
# SHARED: a folder for /srv/shared, or ''. FOLDER...: folders to mount at the same place; missing ones are left out.
set -eu

root=$1 shared=$2 folders=$3
shift 3

# Mounts a folder of this machine, read-only.
bring() {
    mkdir -p "$2"
    mount --bind -o ro "$1" "$2"
}

# pivot_root needs a mount
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm" -o mode=1777,nosuid,nodev
mount -t tmpfs tmpfs "$root/tmp" -o mode=1777
mount -t tmpfs tmpfs "$root/run" -o mode=755
mkdir -m 1777 "$root/run/lock"
for folder in $folders; do
    [ ! -d "$folder" ] || bring "$folder" "$root$folder"
done
[ -z "$shared" ] || bring "$shared" "$root/srv/shared"

cd "$root"
pivot_root . mnt
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 LC_ALL=C.UTF-8
export MAILWEIR_SHARED=/srv/shared DEBIAN_FRONTEND=noninteractive
# The shell stays as the first process: it reaps orphaned processes.
exec chroot . sh -c '
    umount -l /mnt
    dpkg --configure -a
    cd /srv/mailweir
    "$@"
    exit $?' sh "$@"
