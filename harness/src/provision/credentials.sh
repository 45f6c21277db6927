#!/usr/bin/env bash
# Makes a kubeconfig for Quorate: that of the administrator, with a client certificate of its own. To sign with a key of
# an elliptic curve takes a fraction of what it takes with kubeadm's RSA keys, and every new connection signs.
set -euo pipefail
pki=/etc/kubernetes/pki
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout client.key -out client.csr \
  -subj /O=system:masters/CN=quorate
openssl x509 -req -in client.csr -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -set_serial "0x$(openssl rand -hex 16)" -days 365 \
  -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n') -out client.crt
install -m 600 /etc/kubernetes/admin.conf kubeconfig
kubectl --kubeconfig kubeconfig config set-credentials kubernetes-admin \
  --client-certificate client.crt --client-key client.key --embed-certs
mv kubeconfig /etc/kubernetes/quorate.conf
