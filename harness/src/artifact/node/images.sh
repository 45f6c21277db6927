#!/usr/bin/env bash
# Assembles the container images of a cluster from local binaries: images.sh TREE KUBERNETES ETCD TOOLS OUT NAME...
#
# NAMEs are what kubeadm asks for, and files of images that are made already, which are only taken. Each other image becomes one flat layer in a docker archive OUT/SHORT-NAME.tar. TREE is
# a machine's tree with Debian's etcd, iptables and busybox in it; KUBERNETES the folder with the binaries;
# ETCD a folder with etcd and etcdctl, or empty for Debian's.
set -euo pipefail
export LC_ALL=C.UTF-8
umask 022

tree=$1 kubernetes=$2 etcd=$3 tools=$4 out=$5
shift 5
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
architecture=$(chroot "$tree" dpkg --print-architecture)

say() { printf '@say %s\n' "$*"; }

# A root directory like Debian's, where /bin and its kind are links into /usr.
skeleton() {
  local root=$1 dir
  mkdir -p "$root"/{etc,root,run,usr/local/bin}
  install -d -m 1777 "$root/tmp"
  for dir in bin sbin lib lib64; do
    mkdir -p "$root/usr/$dir"
    ln -sfn "usr/$dir" "$root/$dir"
  done
}

# Files of the tree with all shared libraries that they load, links and what they point to.
copy_with_libraries() {
  local root=$1
  shift
  # shellcheck disable=SC2016 # expands inside the tree
  chroot "$tree" /bin/bash -euc '
    for file in "$@" $(ldd "$@" 2> /dev/null | grep -oE "(^|=> |\s)/[^ :]+ \(" | grep -oE "/[^ ]+" | sort -u); do
      printf "%s/%s\n" "$(readlink -f "$(dirname "$file")")" "$(basename "$file")"
      readlink -f "$file"
    done' -- "$@" | sort -u | sed 's#^/##' | tar -c -C "$tree" --files-from - | tar -x -C "$root"
}

# pack NAME ROOT CONFIG: CONFIG is what a container of the image runs, as JSON of the image format.
pack() {
  local name=$1 root=$2 config=$3 short folder
  short=${name##*/} folder=$root.image
  short=${short%%:*}
  mkdir -p "$folder"
  tar -c --numeric-owner --owner=0 --group=0 --sort=name --mtime=@0 -C "$root" -f "$folder/layer.tar" .
  jq --null-input --compact-output --argjson config "$config" --arg architecture "$architecture" \
    --arg layer "sha256:$(sha256sum "$folder/layer.tar" | cut -d' ' -f1)" \
    '{architecture: $architecture, os: "linux", config: $config, rootfs: {type: "layers", diff_ids: [$layer]}}' \
    > "$folder/config.json"
  jq --null-input --compact-output --arg name "$name" \
    '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' > "$folder/manifest.json"
  tar -c -C "$folder" -f "$out/$short.tar" manifest.json config.json layer.tar
  rm -rf "$folder" "$root"
}

environment() { jq --null-input --compact-output --arg path "PATH=$path" '{Env: [$path]}'; }

component() {
  local name=$1 binary=$2 root=$out/$2.root
  skeleton "$root"
  cp "$kubernetes/$binary" "$root/usr/local/bin/"
  pack "$name" "$root" "$(environment)"
}

# iptables' extensions are loaded by name, so their libraries (libm, for one) are not among those of the tools.
proxy() {
  local root=$out/kube-proxy.root tools_needed tool
  skeleton "$root"
  mapfile -t tools_needed < <(cd "$tree" && ls usr/lib/*/xtables/*.so)
  tools_needed=("${tools_needed[@]/#//}" /usr/sbin/xtables-nft-multi /usr/sbin/xtables-legacy-multi
    /usr/sbin/conntrack /usr/sbin/ipset /usr/bin/kmod)
  copy_with_libraries "$root" "${tools_needed[@]}"
  for tool in {iptables,ip6tables}{,-save,-restore}; do
    ln -sf xtables-legacy-multi "$root/usr/sbin/$tool"
  done
  cp "$tree/bin/busybox" "$root/usr/bin/"
  ln -sf busybox "$root/usr/bin/sh"
  cp "$tree"/etc/protocols "$root/etc/" 2> /dev/null || true
  cp "$kubernetes/kube-proxy" "$root/usr/local/bin/"
  pack "$1" "$root" "$(environment)"
}

etcd() {
  local root=$out/etcd.root
  skeleton "$root"
  # Releases are static, and Debian's are not.
  if [ -n "$etcd" ]; then
    cp "$etcd/etcd" "$etcd/etcdctl" "$root/usr/bin/"
  else
    copy_with_libraries "$root" /usr/bin/etcd /usr/bin/etcdctl
  fi
  cp "$tree/bin/busybox" "$root/usr/bin/"
  ln -sf busybox "$root/usr/bin/sh"
  pack "$1" "$root" "$(environment)"
}

pause() {
  local root=$out/pause.root
  mkdir -p "$root"
  gcc -static -Os -s -o "$root/pause" "$tools/pause.c"
  pack "$1" "$root" '{"Entrypoint": ["/pause"]}'
}

# The workload of the scenarios: the name is that of a public image, the content is Debian's busybox.
workload() {
  local root=$out/sh-cgi.root applet
  skeleton "$root"
  cp "$tree/bin/busybox" "$root/usr/bin/"
  for applet in sh httpd hostname cat date env wget sleep; do
    ln -sf busybox "$root/usr/bin/$applet"
  done
  install -D -m 755 "$tools/sh-cgi-index" "$root/www/cgi-bin/index.cgi"
  pack "$1" "$root" "$(environment | jq --compact-output \
    '. + {Cmd: ["httpd", "-f", "-p", "8080", "-h", "/www"], ExposedPorts: {"8080/tcp": {}}}')"
}

mkdir -p "$out"
for name in "$@"; do
  if [[ $name = /*.tar ]]; then
    cp "$name" "$out/taken-${name##*/}"
    continue
  fi
  say "assembling $name"
  short=${name##*/}
  case ${short%%:*} in
    kube-proxy) proxy "$name" ;;
    kube-*) component "$name" "${short%%:*}" ;;
    etcd) etcd "$name" ;;
    pause) pause "$name" ;;
    sh-cgi) workload "$name" ;;
    *) echo "nobody knows how to assemble the image $name" >&2; exit 1 ;;
  esac
done
