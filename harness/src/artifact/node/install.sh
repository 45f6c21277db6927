#!/usr/bin/env bash
# Makes a Debian machine fit to become a node from the bundle that this lies in, without a network: install.sh WHAT
#
# WHAT is `node` for a machine with a kubelet, or a package that is all that the machine needs.
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
cd "$(dirname "$(readlink -f "$0")")"
what=$1

# shellcheck source=/dev/null
. /etc/os-release
if [ "$ID ${VERSION_CODENAME-}" != 'debian bookworm' ]; then
  echo "the box is $PRETTY_NAME, and Quorate brings the packages of Debian 12: take a box with Debian 12, with --box" >&2
  exit 1
fi

# The machine's own sources are left alone, and not asked: it may have no network.
apt() {
  apt-get --quiet --yes --no-install-recommends --no-upgrade -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
    -o Dpkg::Options::=--force-unsafe-io \
    -o Dir::Etc::SourceList="$PWD/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$PWD/apt/lists" -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

packages() {
  mkdir -p apt/lists/partial
  echo "deb [trusted=yes] file:$PWD/debs ./" > apt/sources.list
  # What is installed starts when it is told to.
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  apt update
  if ! apt install "$@"; then
    echo 'a bundle that is older than the box may lack what the box needs: remove bundle-*.tar.gz from the node folder of' >&2
    echo "Quorate's cache, and \`quorate fetch\` makes it anew" >&2
    exit 1
  fi
}

kernel() {
  printf 'overlay\nbr_netfilter\n' > /etc/modules-load.d/quorate.conf
  modprobe --all overlay br_netfilter
  printf 'net.bridge.bridge-nf-call-iptables = 1\nnet.ipv4.ip_forward = 1\n' > /etc/sysctl.d/90-quorate.conf
}

images() {
  local archive
  systemctl restart containerd
  for archive in images/*.tar; do
    ctr --namespace k8s.io images import "$archive" > /dev/null
    rm "$archive"
  done
}

if [ "$what" != node ]; then
  packages "$what"
  exit
fi
mapfile -t wanted < packages.txt
packages "${wanted[@]}"
systemctl disable --quiet haproxy etcd containerd nftables rsync 2> /dev/null || true
cp -a --no-preserve=ownership files/. /
kernel
systemctl daemon-reload
images
