#!/usr/bin/env bash
# Stops or starts a static pod by its manifest, and prints what proves it: static-pod.sh stop|start NAME PROCESS
set -euo pipefail
verb=$1 name=$2 process=$3
manifest=/etc/kubernetes/manifests/$name.yaml
aside=/etc/kubernetes/quorate-stopped/$name.yaml

pid() { pgrep -x "$process" | head -n 1 || true; }
await() { # until the process is there (yes) or not (no)
  for _ in $(seq 600); do
    case $1 in
    yes) [ -z "$(pid)" ] || return 0 ;;
    no) [ -n "$(pid)" ] || return 0 ;;
    esac
    sleep 0.1
  done
  echo "after 60 s, is there a process $process? wanted: $1; its pid: $(pid)" >&2
  return 1
}

case $verb in
stop)
  before=$(pid)
  [ -n "$before" ] || { echo "no process $process runs here, so it cannot be stopped" >&2; exit 1; }
  mkdir -p "$(dirname "$aside")"
  mv "$manifest" "$aside"
  await no
  echo "process $process (pid $before) has ended, its manifest is set aside"
  ;;
start)
  [ -e "$aside" ] || { echo "the manifest of $name was not set aside, so it cannot be put back" >&2; exit 1; }
  mv "$aside" "$manifest"
  await yes
  echo "process $process runs as pid $(pid), its manifest is back"
  ;;
esac
