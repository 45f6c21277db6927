#!/usr/bin/env bash
# Waits until no connection between etcd's members waits to send again.
# After a partition TCP tries again after pauses that have grown with it, and etcd from 3.5 on keeps such a connection. What one
# member tells another comes late until then, which nobody sees as long as neither has to elect a leader.
set -euo pipefail
end=$((SECONDS + 100))
while [ "$SECONDS" -lt "$end" ]; do
  all=$(ss -Htno state established '( sport = :2380 or dport = :2380 )')
  found=$(grep -E 'timer:\(on,[^,]*,[1-9]' <<< "$all" || true)
  if [ -z "$found" ]; then exit 0; fi
  sleep 0.2
done
echo "after 100 s these connections wait to send again:" >&2
echo "$found" >&2
exit 1
