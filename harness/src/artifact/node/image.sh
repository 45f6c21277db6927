#!/usr/bin/env bash
# Makes the image that machines are started from: image.sh WORK TREE KUBERNETES ETCD TOOLS REFERENCE NAME...
#
# The image is TREE, plus kubeadm, kubelet and kubectl of the folder KUBERNETES, plus the container images NAMEs, of which
# etcd has the programs of the folder ETCD or, where that is empty, those of TREE, unpacked where the machine's containerd finds them. Wants to be root, in a mount and process namespace of its own,
# so that nothing stays mounted or running however it ends.
set -euo pipefail
export LC_ALL=C.UTF-8
umask 022

work=$1 tree=$2 kubernetes=$3 etcd=$4 tools=$5 reference=$6
shift 6
extra=$work/extra
state=var/lib/containerd
layers=usr/lib/quorate/layers

say() { printf '@say %s\n' "$*"; }

take_lock() {
  mkdir -p "$work"
  exec 9>"$work.lock"
  if ! flock --nonblock 9; then
    say 'waiting for another quorate that makes the same image'
    flock 9
    if docker image inspect "$reference" > /dev/null 2>&1; then exit 0; fi
  fi
  rm -rf "$work"
  mkdir -p "$extra"
}

additions() {
  local pause
  pause=$(printf '%s\n' "$@" | grep '/pause:')
  install -D -m 755 -t "$extra/usr/bin" "$kubernetes/kubeadm" "$kubernetes/kubelet" "$kubernetes/kubectl"
  mkdir -p "$extra/etc/containerd"
  sed "s#@PAUSE@#$pause#" "$tools/containerd.toml" > "$extra/etc/containerd/config.toml"
}

in_tree() { chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
ctr() { in_tree ctr --namespace k8s.io "$@"; }

start_containerd() {
  local tries
  mount --make-rprivate /
  mount -t proc proc "$tree/proc"
  mount --rbind /dev "$tree/dev"
  mount -t tmpfs tmpfs "$tree/tmp"
  mount -t tmpfs tmpfs "$tree/run"
  # A tmpfs, because overlayfs does not nest, and the cache may lie on one.
  mount -t tmpfs tmpfs "$tree/$state"
  printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' > "$tree/tmp/config.toml"
  # exec, so that $! is containerd itself.
  (exec chroot "$tree" /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    containerd --config /tmp/config.toml --log-level error) &
  containerd=$!
  for tries in $(seq 200); do
    if [ -S "$tree/run/containerd/containerd.sock" ] && ctr version > /dev/null 2>&1; then return; fi
    sleep 0.05
  done
  echo "containerd did not start in the tree (looked $tries times)" >&2
  exit 1
}

# Once a layer is unpacked its blob is dead weight: without the references to it, containerd collects it.
preload() {
  local archive
  start_containerd
  for archive in "$work"/archives/*.tar; do
    say "unpacking $(basename "$archive" .tar)"
    ctr images import --snapshotter overlayfs - < "$archive"
    rm "$archive"
  done
  ctr content prune references
  ctr images ls --quiet
  kill "$containerd"
  wait "$containerd" || true
}

# An engine copies /var into a volume for each machine. Unpacked layers stay outside of it, in the image that all
# machines share: an overlay's lower directory may lie on another overlay.
outsource_layers() {
  local snapshot id
  mkdir -p "$extra/$state" "$extra/$layers"
  cp -a "$tree/$state/." "$extra/$state/"
  for snapshot in "$extra/$state"/io.containerd.snapshotter.v1.overlayfs/snapshots/*; do
    id=$(basename "$snapshot")
    mv "$snapshot/fs" "$extra/$layers/$id"
    ln -s "/$layers/$id" "$snapshot/fs"
  done
  rm -rf "$extra/$state"/tmpmounts/* "$extra/$state"/io.containerd.content.v1.content/ingest/*
  umount --recursive "$tree/$state" "$tree/run" "$tree/tmp" "$tree/dev" "$tree/proc"
}

import() {
  say "handing the image to docker"
  mkdir "$work/merged"
  mount -t overlay -o "ro,lowerdir=$extra:$tree" overlay "$work/merged"
  tar -c --numeric-owner -C "$work/merged" . | docker import \
    --change 'CMD ["/usr/local/sbin/node-init"]' --change 'ENV container=docker' \
    --change 'LABEL quorate.node=1' - "$reference"
  umount "$work/merged"
}

take_lock
additions "$@"
bash "$tools/images.sh" "$tree" "$kubernetes" "$etcd" "$tools" "$work/archives" "$@"
preload
outsource_layers
import
rm -rf "$work"
