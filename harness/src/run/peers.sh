#!/usr/bin/env bash
# Waits until no connection between etcd's members waits to send again.
# After a partition TCP tries again after pauses that have grown with it, and etcd from 3.5 on keeps such a connection. What one
# member tells another comes late until then, which nobody sees as long as neither has to elect a leader.
set -euo pipefail
waiting() { ss -Htno state established '( sport = :2380 or dport = :2380 )' | grep -E 'timer:\(on,[^,]*,[1-9]' || true; }
for _ in $(seq 600); do
  found=$(waiting)
  if [ -z "$found" ]; then exit 0; fi
  sleep 0.2
done
echo "after 120 s these connections wait to send again:" >&2
echo "$found" >&2
exit 1
