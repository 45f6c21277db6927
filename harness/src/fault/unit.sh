#!/usr/bin/env bash
# Stops or starts a systemd unit, and prints what proves it: unit.sh stop|start UNIT
set -euo pipefail
verb=$1 unit=$2
state() { systemctl show --property ActiveState --value "$unit"; }

before=$(state)
case $verb-$before in
stop-active | start-inactive | start-failed) ;;
*) echo "unit $unit is $before, so $verb would do nothing" >&2; exit 1 ;;
esac
systemctl "$verb" "$unit"
for _ in $(seq 100); do
  now=$(state)
  case $verb-$now in
  stop-inactive | stop-failed | start-active)
    echo "unit $unit was $before and is $now"
    exit 0
    ;;
  esac
  sleep 0.1
done
echo "unit $unit is $(state) after $verb" >&2
exit 1
