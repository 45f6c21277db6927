#!/usr/bin/env bash
# Starts the etcd member of this machine without data, as a new member of a cluster that knows it: rejoin.sh INITIAL_CLUSTER
set -euo pipefail
cluster=$1
pki=/etc/kubernetes/pki/etcd
aside=/etc/kubernetes/quorate-stopped/etcd.yaml
manifest=/etc/kubernetes/manifests/etcd.yaml

if [ ! -e "$aside" ] || [ -e /var/lib/etcd/member ]; then
  echo "the fault did not last: somebody put etcd's manifest or data back" >&2
  exit 1
fi
sed -i -e "s|--initial-cluster=.*|--initial-cluster=$cluster|" -e '/--initial-cluster-state=/d' "$aside"
sed -i -e 's|^\( *- \)--initial-cluster=.*|&\n\1--initial-cluster-state=existing|' "$aside"
mv "$aside" "$manifest"

etcd() {
  curl --silent --max-time 5 --cacert "$pki/ca.crt" --cert "$pki/healthcheck-client.crt" \
    --key "$pki/healthcheck-client.key" "$@"
}
end=$((SECONDS + 300))
while [ "$SECONDS" -lt "$end" ]; do
  # It is healthy when it follows a leader and can read with a quorum.
  if [ "$(etcd https://127.0.0.1:2379/health | jq -r .health 2> /dev/null)" = true ]; then
    etcd --data '{}' https://127.0.0.1:2379/v3/maintenance/status |
      jq -r '"a new member (\(.header.member_id)) with a database of \(.dbSize) bytes serves"'
    exit 0
  fi
  sleep 0.5
done
echo "after 300 s the new member does not serve" >&2
exit 1
