#!/usr/bin/env bash
# Lets the masters take pods, since machines are few and small, and applies a manifest: workload.sh MANIFEST
set -euo pipefail
export KUBECONFIG=/etc/kubernetes/admin.conf

# etcd may change its leader once more after a member has joined, and requests fail while it does.
patiently() {
  for _ in $(seq 40); do
    "$@" && return
    sleep 1
  done
  return 1
}
untaint() {
  local taint
  for taint in node-role.kubernetes.io/master node-role.kubernetes.io/control-plane; do
    kubectl taint nodes --all "$taint-" 2>&1 | grep -v 'not found' || true
  done
  kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec.taints[*].key}{"\n"}{end}' |
    awk '/node-role.kubernetes.io\/(master|control-plane)/ { print "a taint stays on " $1; bad = 1 } END { exit bad }'
}

patiently untaint
patiently kubectl apply -f "$1"
