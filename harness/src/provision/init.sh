#!/usr/bin/env bash
# Initialises the cluster on its first master: init.sh IGNORED_PREFLIGHT_ERRORS SKIPPED_PHASES
set -euo pipefail
if [ -e /etc/kubernetes/admin.conf ] && [ -e /etc/kubernetes/quorate-initialised ]; then exit 0; fi
kubeadm init --config /etc/kubernetes/kubeadm.yaml --upload-certs --ignore-preflight-errors="$1" --skip-phases="$2"
install -D -m 600 /etc/kubernetes/admin.conf ~root/.kube/config
touch /etc/kubernetes/quorate-initialised
