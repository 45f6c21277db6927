#!/usr/bin/env bash
# Befalls a static pod, and prints what proves it: static-pod.sh stop|kill|start|restart NAME
# The process has the name of the pod.
set -euo pipefail
verb=$1 name=$2
manifest=/etc/kubernetes/manifests/$name.yaml
aside=/etc/kubernetes/quorate-stopped/$name.yaml

# By what was started: of a process's name the kernel keeps fifteen letters, and others may share them.
pid() { pgrep -f "^([^ ]*/)?$name " | head -n 1 || true; }
# A kubelet that hears of the cluster from this master alone, as from Kubernetes 1.33 on, asks it in vain for 34 s at a time before
# it starts the etcd or the API server that the answer depends on.
await() { # gone PID | there
  local patience=45
  [ "$1" = gone ] || patience=270
  local end=$((SECONDS + patience))
  while [ "$SECONDS" -lt "$end" ]; do
    case $1 in
    gone) kill -0 "$2" 2>/dev/null || return 0 ;;
    there) [ -z "$(pid)" ] || return 0 ;;
    esac
    sleep 0.1
  done
  echo "after $patience s, $name is not $*" >&2
  return 1
}
# Whatever ended it before may have made kubelet wait a while before it starts it anew.
running() {
  [ -n "$(pid)" ] || await there || true
  before=$(pid)
  [ -n "$before" ] || { echo "no process $name runs here, so $verb would do nothing" >&2; exit 1; }
}
set_aside() {
  mkdir -p "$(dirname "$aside")"
  mv "$manifest" "$aside"
  await gone "$before"
}
put_back() {
  mv "$aside" "$manifest"
  await there
}

case $verb in
stop)
  running
  set_aside
  [ -z "$(pid)" ] || { echo "$name still runs as pid $(pid)" >&2; exit 1; }
  echo "process $name (pid $before) has ended, its manifest is set aside"
  ;;
kill)
  running
  kill -KILL "$before"
  await gone "$before"
  echo "process $name (pid $before) was killed"
  ;;
start)
  [ -e "$aside" ] || { echo "the manifest of $name was not set aside, so it cannot be put back" >&2; exit 1; }
  put_back
  echo "process $name runs as pid $(pid), its manifest is back"
  ;;
restart)
  running
  set_aside
  put_back
  echo "process $name (pid $before) has ended and runs as pid $(pid)"
  ;;
esac
