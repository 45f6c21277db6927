#!/usr/bin/env bash
# Joins a machine to the cluster with kubeadm's own phases: join.sh node|prepare|enter IGNORED_PREFLIGHT_ERRORS BOOTSTRAP
#   node     all of it, for a machine without a control plane
#   prepare  certificates and the kubelet of a control plane, which leaves etcd as it is
#   enter    the new member of etcd, and the rest of the control plane after it
# BOOTSTRAP is where the kubelet of a control plane gets its credentials: from the `balancer`, or from its `local` API server.
set -euo pipefail
part=$1 ignored=$2 bootstrap=$3
done=/etc/kubernetes/quorate-joined-$part
config=/etc/kubernetes/kubeadm.yaml
if [ -e "$done" ]; then exit 0; fi

phase() { echo "== kubeadm join phase $*" && kubeadm join phase "$@" --config "$config"; }

case $part in
node)
  kubeadm join --config "$config" --ignore-preflight-errors="$ignored"
  ;;
prepare)
  phase preflight --ignore-preflight-errors="$ignored"
  for part in download-certs certs kubeconfig; do phase control-plane-prepare "$part"; done
  # A kubelet that starts without this folder looks for it again after up to 20 s only.
  mkdir -p /etc/kubernetes/manifests
  phase kubelet-start
  ;;
enter)
  if [ "$bootstrap" = local ]; then phase etcd-join; else phase control-plane-join etcd; fi
  # Not before: an API server without etcd accepts connections, and the balancer believes it.
  phase control-plane-prepare control-plane
  # It runs the pods of its manifests meanwhile.
  if [ "$bootstrap" = local ]; then phase kubelet-wait-bootstrap; fi
  # Old releases list the new API server in a ConfigMap.
  if kubeadm join phase control-plane-join --help | grep -q '^ *update-status'; then
    phase control-plane-join update-status
  fi
  phase control-plane-join mark-control-plane
  install -D -m 600 /etc/kubernetes/admin.conf ~root/.kube/config
  ;;
esac
touch "$done"
