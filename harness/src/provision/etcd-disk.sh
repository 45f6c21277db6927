#!/usr/bin/env bash
# Makes a file system in a file and mounts it for etcd's data, now and at each start: etcd-disk.sh BYTES
set -euo pipefail
size=$1
image=/var/lib/quorate/etcd-disk
mkdir -p "$(dirname "$image")"
if [ ! -e "$image" ]; then
  truncate --size "$size" "$image.new"
  # Nothing is kept back for root, who is the one that writes here.
  mkfs.ext4 -q -m 0 "$image.new"
  mv "$image.new" "$image"
fi
systemctl daemon-reload
systemctl enable --quiet quorate-etcd-disk
systemctl start quorate-etcd-disk
# kubeadm wants an empty folder.
if [ -d /var/lib/etcd/lost+found ]; then rmdir /var/lib/etcd/lost+found; fi
mountpoint /var/lib/etcd
