#!/usr/bin/env bash
# Prints the hash of the cluster's certificate authority as kubeadm wants it.
set -euo pipefail
openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
