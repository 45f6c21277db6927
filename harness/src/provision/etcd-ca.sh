#!/usr/bin/env bash
# Makes the certificate authority of etcd machines, and the certificates of etcd's clients, from kubeadm's configuration.
set -euo pipefail
for part in etcd-ca etcd-healthcheck-client apiserver-etcd-client; do
  kubeadm init phase certs "$part" --config /etc/kubernetes/kubeadm.yaml
done
