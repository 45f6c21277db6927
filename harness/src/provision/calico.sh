#!/usr/bin/env bash
# Applies Calico's manifest with what it is told of the machines: calico.sh FOLDER
set -euo pipefail
export KUBECONFIG=/etc/kubernetes/admin.conf

# The API server fails requests while the next etcd member joins.
for _ in $(seq 40); do
  # Its definitions are larger than what a client may note down of what it applied last.
  if kubectl apply --server-side --force-conflicts --kustomize "$1"; then exit 0; fi
  sleep 1
done
exit 1
