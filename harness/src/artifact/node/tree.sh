#!/usr/bin/env bash
# Makes the tree of files that machines start from: tree.sh WORK OUT SUITE TOOLS SOURCES MIRROR KEYRING
#
# The base is the public Debian image where a registry answers, else debootstrap's minimal variant from MIRROR (which
# may be empty, as may SOURCES and KEYRING); both then get the same packages and the same configuration. Wants to be
# root, in a mount and process namespace of its own, so that nothing stays mounted or running however it ends. WORK
# keeps what was downloaded and how far it came; OUT appears only when complete.
set -euo pipefail
export LC_ALL=C.UTF-8
umask 022

work=$1 out=$2 suite=$3 tools=$4 sources=$5 mirror=$6 keyring=$7
root=$work/root
image=debian:$suite-slim
copy=quorate-base-$(basename "$out")

say() { printf '@say %s\n' "$*"; }

# The lock is inherited by all that is started here: whoever comes next waits even for what a killed Quorate left.
take_lock() {
  mkdir -p "$work"
  exec 9>"$work.lock"
  if ! flock --nonblock 9; then
    say 'waiting for another quorate that makes the same tree'
    flock 9
    mkdir -p "$work"
  fi
}

have_image() {
  docker image inspect "$image" > /dev/null 2>&1 && return
  say "asking the registry for $image"
  timeout 60 docker pull --quiet "$image"
}

from_image() {
  say "starting from $image"
  docker rm --force "$copy" > /dev/null 2>&1 || true
  docker create --name "$copy" --label quorate.base=1 "$image" true > /dev/null
  docker export "$copy" | tar -x --numeric-owner -C "$root"
  docker rm --force "$copy" > /dev/null
}

from_mirror() {
  if [ -z "$mirror" ]; then
    echo "no registry gave $image, and the host's apt has no source for Debian $suite" >&2
    exit 1
  fi
  say "bootstrapping Debian $suite from the host's own mirror"
  mkdir -p "$work/bootstrap"
  local proxy='' options=(--variant=minbase --merged-usr "--cache-dir=$work/bootstrap")
  [ -n "$keyring" ] && options+=("--keyring=$keyring")
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [ -n "$proxy" ] && [ "$proxy" != DIRECT ] && export http_proxy=${http_proxy:-$proxy}
  debootstrap "${options[@]}" "$suite" "$root" "$mirror" < /dev/null | while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line == I:\ * ]] && say "debootstrap: ${line#I: }"
  done
}

base() {
  [ -e "$work/base-complete" ] && return
  rm -rf "$root"
  mkdir -p "$root"
  if have_image; then from_image; else from_mirror; fi
  touch "$work/base-complete"
}

mount_helpers() {
  mkdir -p "$work/archives/partial"
  mount --make-rprivate /
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/tmp"
  mount -t tmpfs tmpfs "$root/run"
  mkdir -p "$root/var/cache/apt/archives"
  mount --bind "$work/archives" "$root/var/cache/apt/archives"
}

# The machine's apt is the host's while the tree is made: its sources, keys, proxy and tolerance of old mirrors.
borrow_apt() {
  rm -rf "$root/run/quorate"
  mkdir -p "$root/run/quorate"
  cp -L /etc/resolv.conf "$root/run/quorate/resolv.conf"
  [ -e "$root/etc/resolv.conf" ] || touch "$root/etc/resolv.conf"
  mount --bind "$root/run/quorate/resolv.conf" "$root/etc/resolv.conf"
  if [ -s "$sources" ]; then
    rm -f "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/*
    cp "$sources" "$root/etc/apt/sources.list.d/quorate.sources"
    local key
    while read -r key; do
      [ -e "$root$key" ] || install -D -m 644 "$key" "$root$key"
    done < <(sed -n 's/^Signed-By: *\(\/.*\)/\1/p' "$sources" | tr ' ' '\n' | sort -u)
    cp -n /etc/apt/trusted.gpg.d/* "$root/etc/apt/trusted.gpg.d/" 2> /dev/null || true
  fi
  apt-config dump | sed -n '/^Acquire::.*;$/p' > "$root/etc/apt/apt.conf.d/00quorate"
}

packages() {
  [ -e "$work/packages-complete" ] && return
  borrow_apt
  cp "$tools/dpkg-quorate" "$root/etc/dpkg/dpkg.cfg.d/quorate"
  printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  say "getting Debian's list of packages"
  inside dpkg --configure -a
  inside apt-get --quiet update
  # What the base brought may be older than what the mirror has by now.
  inside apt-get --quiet --yes --no-install-recommends -o Dpkg::Use-Pty=0 --fix-broken dist-upgrade
  local wanted
  mapfile -t wanted < "$tools/packages.txt"
  say 'installing packages'
  inside apt-get --quiet --yes --no-install-recommends -o APT::Status-Fd=3 -o Dpkg::Use-Pty=0 --fix-broken \
    install "${wanted[@]}" 3>&1 | while IFS= read -r line; do
    case $line in
      dlstatus:* | pmstatus:*) show "$line" ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
  rm "$root/usr/sbin/policy-rc.d" "$root/etc/apt/apt.conf.d/00quorate"
  touch "$work/packages-complete"
}

# apt's status lines are kind:package:percent:text.
show() {
  local kind text percent
  IFS=: read -r kind _ percent text <<< "$1"
  [ "$kind" = dlstatus ] || printf '@progress %.0f 100 percent %s\n' "$percent" "$text"
}

inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

configure() {
  say 'configuring the tree'
  local from to mode
  while read -r mode from to; do
    install -D -m "$mode" "$tools/$from" "$root$to"
  done < "$tools/files.txt"
  cp "$tools/configure.sh" "$root/tmp/configure.sh"
  inside bash /tmp/configure.sh
}

finish() {
  umount --recursive "$root/dev" "$root/proc" "$root/tmp" "$root/run" "$root/var/cache/apt/archives"
  if mountpoint --quiet "$root/etc/resolv.conf"; then umount "$root/etc/resolv.conf"; fi
  rm -rf "$root/var/cache/apt" "$root"/var/lib/apt/lists/* "$root/var/log/apt" "$root"/run/* "$root"/tmp/*
  mkdir -p "$root/var/cache/apt/archives/partial"
  sync --file-system "$root"
  mv -T "$root" "$out"
  rm -rf "$work"
}

take_lock
[ -d "$out" ] && exit 0
base
mount_helpers
packages
configure
finish
