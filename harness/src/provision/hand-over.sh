#!/usr/bin/env bash
# Ends the controller manager of this machine and its lease, so that another one takes over at once instead of
# waiting for the lease to run out. kubelet starts the ended one anew.
set -euo pipefail
# By what was started: of a process's name the kernel keeps fifteen letters, and Calico's kube-controllers has the same.
before=$(pgrep -f '^([^ ]*/)?kube-controller-manager ' || true)
[ -n "$before" ] || { echo "no controller manager runs here" >&2; exit 1; }
kill "$before"
for _ in $(seq 100); do
  kill -0 "$before" 2>/dev/null || break
  sleep 0.05
done
if kill -0 "$before" 2>/dev/null; then echo "the controller manager did not end" >&2; exit 1; fi
# etcd may change its leader once more after a member has joined, and requests fail while it does.
for _ in $(seq 20); do
  kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system \
    delete lease kube-controller-manager --ignore-not-found && exit
  sleep 1
done
exit 1
