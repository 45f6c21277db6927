#!/usr/bin/env bash
# Makes the archive that virtual machines become nodes from: bundle.sh WORK TREE KUBERNETES ETCD TOOLS OUT NAME...
#
# OUT has Debian's packages with all that they need, as a repository of its own, plus kubeadm, kubelet and kubectl of the
# folder KUBERNETES, plus the container images NAMEs assembled with the programs of TREE, but etcd with
# those of the folder ETCD unless that is empty. A machine with it needs no
# network to become a node: install.sh is in it. APT_CONFIG names the configuration that the packages come by. Wants to be
# root, in a mount and process namespace of its own, so that nothing stays mounted or running however it ends. WORK keeps
# what was downloaded; OUT appears only when complete.
set -euo pipefail
export LC_ALL=C.UTF-8
umask 022

work=$1 tree=$2 kubernetes=$3 etcd=$4 tools=$5 out=$6
shift 6
parts=$work/bundle

say() { printf '@say %s\n' "$*"; }

take_lock() {
  mkdir -p "$work"
  exec 9>"$work.lock"
  if ! flock --nonblock 9; then
    say 'waiting for another quorate that makes the same bundle'
    flock 9
  fi
  if [ -e "$out" ]; then exit 0; fi
  rm -rf "$parts"
  mkdir -p "$parts/images" "$work/debs/partial"
}

# With no package counted as installed, apt gets all that a machine could lack.
packages() {
  local wanted options
  mapfile -t wanted < "$tools/packages.txt"
  : > "$work/status"
  options=(-o "Dir::State::status=$work/status" -o "Dir::Cache::archives=$work/debs" -o APT::Status-Fd=3)
  say "getting Debian's list of packages"
  apt-get --quiet update
  say 'getting packages'
  apt-get --quiet --yes --no-install-recommends "${options[@]}" --download-only install "${wanted[@]}" 3>&1 | progress
  mkdir "$parts/debs"
  ln "$work"/debs/*.deb "$parts/debs/"
}

# apt's status lines are kind:item:percent:text.
progress() {
  local line text percent
  while IFS= read -r line; do
    case $line in
      dlstatus:*)
        IFS=: read -r _ _ percent text <<< "$line"
        printf '@progress %.0f 100 percent %s\n' "$percent" "$text"
        ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
}

index() {
  local deb
  for deb in "$parts"/debs/*.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: ./%s\nSize: %d\nSHA256: %s\n\n' \
      "$(basename "$deb")" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
  done > "$parts/debs/Packages"
}

programs() {
  local pause from to mode
  pause=$(printf '%s\n' "$@" | grep '/pause:')
  install -D -m 755 -t "$parts/files/usr/bin" "$kubernetes/kubeadm" "$kubernetes/kubelet" "$kubernetes/kubectl"
  mkdir -p "$parts/files/etc/containerd"
  sed "s#@PAUSE@#$pause#" "$tools/containerd.toml" > "$parts/files/etc/containerd/config.toml"
  while read -r mode from to; do
    install -D -m "$mode" "$tools/$from" "$parts/files$to"
  done < "$tools/vm-files.txt"
}

archive() {
  say 'packing the bundle'
  cp "$tools/install.sh" "$tools/packages.txt" "$parts/"
  tar -cz --numeric-owner --owner=0 --group=0 -C "$parts" -f "$work/bundle.tar.gz" .
  sync "$work/bundle.tar.gz"
  sha256sum "$work/bundle.tar.gz" | cut -d' ' -f1 > "$out.sha256"
  mv "$work/bundle.tar.gz" "$out"
  rm -rf "$work"
}

take_lock
packages
index
programs "$@"
bash "$tools/images.sh" "$tree" "$kubernetes" "$etcd" "$tools" "$parts/images" "$@"
archive
