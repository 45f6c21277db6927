#!/usr/bin/env bash
# Replaces the dead etcd member of a machine by a new one, as seen from another member, and prints the new cluster as
# etcd's --initial-cluster wants it: member.sh MACHINE ADDRESS
set -euo pipefail
machine=$1 address=$2
pki=/etc/kubernetes/pki/etcd
url=https://$address:2380

# The gateway of etcd 3.4 and later: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
etcd() {
  curl --silent --show-error --fail --max-time 10 --cacert "$pki/ca.crt" --cert "$pki/healthcheck-client.crt" \
    --key "$pki/healthcheck-client.key" --data "$2" "https://127.0.0.1:2379/v3/cluster/member/$1"
}
# etcd takes no change while it does not hear from all that are left, which may last a few seconds.
insist() {
  for _ in $(seq 40); do
    if etcd "$@"; then return; fi
    sleep 1
  done
  echo "etcd did not do this in 40 tries: $*" >&2
  return 1
}

list() { insist list '{}' | jq -r '.members[] | [.ID, .name // "-", .peerURLs[0]] | @tsv'; }
dead=$(list | awk -v url="$url" '$3 == url { print $1 }')
if [ -n "$dead" ]; then insist remove "{\"ID\":\"$dead\"}" > /dev/null; fi
insist add "{\"peerURLs\":[\"$url\"]}" > /dev/null
list | awk -v url="$url" -v machine="$machine" '{ print ($3 == url ? machine : $2) "=" $3 }' | paste -s -d ,
