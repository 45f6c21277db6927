#!/usr/bin/env bash
# Uses up the quota of an etcd member's database, or makes room as an operator does, and prints what proves it:
# fill-etcd.sh fill | free
# The member starts anew with a quota that is a little larger than its database, and keys fill that up. The alarm that
# it raises is the whole cluster's: no member takes writes until the alarm is disarmed.
set -euo pipefail
verb=$1
pki=/etc/kubernetes/pki/etcd
manifest=/etc/kubernetes/manifests/etcd.yaml
aside=/etc/kubernetes/quorate-stopped
state=/run/quorate/fill-etcd
here=https://127.0.0.1:2379

# The gateway of etcd 3.4 and later: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/
etcd() {
  curl --silent --show-error --fail --max-time "${3:-20}" --cacert "$pki/ca.crt" --cert "$pki/healthcheck-client.crt" \
    --key "$pki/healthcheck-client.key" --data "$2" "$here/v3/$1"
}
status() { etcd maintenance/status '{}' | jq -r "$1"; }
alarms() { etcd maintenance/alarm '{"action":"GET"}' | jq -r '[.alarms[]? | .alarm] | join(",")'; }
serves() {
  local leader
  for _ in $(seq 240); do
    # Of one that does not answer nothing is known, which is not the same as a leader.
    leader=$(etcd maintenance/status '{}' 2> /dev/null | jq -r '.leader // 0' || true)
    if [ "${leader:-0}" != 0 ]; then return; fi
    sleep 0.5
  done
  echo "after 120 s etcd does not serve" >&2
  return 1
}
# kubelet sees a manifest that changes and starts the pod anew.
change() {
  local before after
  before=$(pgrep -x etcd | head -n 1)
  mkdir -p "$aside"
  sed "$@" "$manifest" > "$aside/etcd.yaml.new"
  mv "$manifest" "$aside/etcd.yaml"
  for _ in $(seq 600); do
    if ! kill -0 "$before" 2> /dev/null; then break; fi
    sleep 0.1
  done
  mv "$aside/etcd.yaml.new" "$manifest"
  rm "$aside/etcd.yaml"
  for _ in $(seq 600); do
    after=$(pgrep -x etcd | head -n 1 || true)
    if [ -n "$after" ] && [ "$after" != "$before" ]; then break; fi
    sleep 0.1
  done
  serves
}
base64_of() { printf %s "$1" | base64 -w 0; }

case $verb in
fill)
  if [ -n "$(alarms)" ]; then echo "etcd has alarms already: $(alarms)" >&2; exit 1; fi
  if grep -q -e --quota-backend-bytes "$manifest"; then echo "etcd has a quota already" >&2; exit 1; fi
  quota=$(($(status .dbSize) + 4194304))
  change -e "s|^\( *- \)--data-dir=.*|&\n\1--quota-backend-bytes=$quota|"
  value=$(head -c 750000 /dev/urandom | base64 -w 0)
  for n in $(seq 40); do
    said=$(printf '{"key":"%s","value":"%s"}' "$(base64_of "/quorate/fill/$n")" "$value" |
      curl --silent --show-error --max-time 20 --cacert "$pki/ca.crt" --cert "$pki/healthcheck-client.crt" \
        --key "$pki/healthcheck-client.key" --data @- "$here/v3/kv/put")
    case $said in *'database space exceeded'*) break ;; esac
  done
  for _ in $(seq 50); do
    if [ "$(alarms)" = NOSPACE ]; then break; fi
    sleep 0.2
  done
  [ "$(alarms)" = NOSPACE ] || { echo "etcd raised no alarm, and said last: ${said:0:200}" >&2; exit 1; }
  mkdir -p "$(dirname "$state")"
  echo "$quota" > "$state"
  echo "a database of $(status .dbSize) bytes with a quota of $quota: alarm NOSPACE; one who writes is told: $(jq -r '.message // .error' <<< "$said")"
  ;;
free)
  raised=$(alarms)
  etcd kv/deleterange "{\"key\":\"$(base64_of /quorate/fill/)\",\"range_end\":\"$(base64_of /quorate/fill0)\"}" > /dev/null
  revision=$(status .header.revision)
  etcd kv/compaction "{\"revision\":\"$revision\",\"physical\":true}" > /dev/null
  etcd maintenance/defragment '{}' 60 > /dev/null
  size=$(status .dbSize)
  # As etcdctl disarms: every member's alarm by its id.
  for member in $(etcd maintenance/alarm '{"action":"GET"}' | jq -r '.alarms[]? | .memberID'); do
    etcd maintenance/alarm "{\"action\":\"DEACTIVATE\",\"memberID\":\"$member\",\"alarm\":\"NOSPACE\"}" > /dev/null
  done
  for _ in $(seq 50); do
    if [ -z "$(alarms)" ]; then break; fi
    sleep 0.2
  done
  [ -z "$(alarms)" ] || { echo "the alarm is still there: $(alarms)" >&2; exit 1; }
  # A member of etcd 3.4 that ended within a second of its defragmentation was seen once to apply entries again, after which its data
  # was other than the others'. How far it has applied is written with what it applies, ten times a second.
  etcd kv/put "{\"key\":\"$(base64_of /quorate/fill/)\",\"value\":\"\"}" > /dev/null
  etcd kv/deleterange "{\"key\":\"$(base64_of /quorate/fill/)\"}" > /dev/null
  sleep 1
  if grep -q -e --quota-backend-bytes "$manifest"; then change -e /--quota-backend-bytes=/d; fi
  rm -f "$state"
  if [ "$raised" != NOSPACE ]; then
    echo "the fault did not last: etcd had no alarm NOSPACE any more" >&2
    exit 1
  fi
  echo "keys deleted, compacted at revision $revision, defragmented to $size bytes, disarmed; the quota is as it was"
  ;;
esac
