#!/usr/bin/env bash
# Mounts the file system of etcd's data. The loop device is let go with the last mount of it, however the machine ends.
set -euo pipefail
image=/var/lib/quorate/etcd-disk
mkdir -p /var/lib/etcd
if mountpoint -q /var/lib/etcd; then exit 0; fi
modprobe loop 2> /dev/null || true
# A container has a /dev of its own, to which the kernel adds nothing.
if [ ! -e /dev/loop-control ]; then mknod /dev/loop-control c 10 237; fi
for _ in $(seq 50); do
  device=$(losetup --find)
  if [ ! -e "$device" ]; then mknod "$device" b 7 "${device#/dev/loop}"; fi
  # Another machine of the same host may have been quicker.
  if mount -o "loop=$device" "$image" /var/lib/etcd; then
    chmod 700 /var/lib/etcd
    exit 0
  fi
  sleep 0.2
done
echo 'no loop device can be had for the file system of etcd' >&2
exit 1
