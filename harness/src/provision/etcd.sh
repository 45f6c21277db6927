#!/usr/bin/env bash
# Makes a machine run an etcd member as a static pod, with a kubelet that belongs to no cluster: etcd.sh ADDRESS
# https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/setup-ha-etcd-with-kubeadm/
set -euo pipefail
address=$1
pki=/etc/kubernetes/pki/etcd

for part in etcd-server etcd-peer etcd-healthcheck-client; do
  kubeadm init phase certs "$part" --config /etc/kubernetes/kubeadm.yaml
done
# Members have their certificates now, and the authority is nobody's to lose.
rm -f "$pki/ca.key"
mkdir -p /etc/kubernetes/manifests
kubeadm init phase etcd local --config /etc/kubernetes/kubeadm.yaml
systemctl daemon-reload
systemctl restart kubelet

for _ in $(seq 300); do
  said=$(curl --silent --show-error --max-time 2 --cacert "$pki/ca.crt" --cert "$pki/healthcheck-client.crt" \
    --key "$pki/healthcheck-client.key" "https://$address:2379/health" 2>&1) || true
  if [[ $said == *'"health":"true"'* ]]; then exit 0; fi
  sleep 0.2
done
echo "after 60 s, the member is not healthy: $said" >&2
exit 1
