#!/usr/bin/env bash
# Befalls a systemd unit, and prints what proves it: unit.sh stop|kill|start|restart UNIT
set -euo pipefail
verb=$1 unit=$2
show() { systemctl show --property "$1" --value "$unit"; }
describe() { echo "$(show ActiveState) (pid $(show MainPID))"; }

before=$(describe) pid=$(show MainPID)
case $verb-$before in
stop-active* | kill-active* | restart-active* | start-inactive* | start-failed*) ;;
*) echo "unit $unit is $before, so $verb would do nothing" >&2; exit 1 ;;
esac
case $verb in
kill) systemctl kill --kill-who=all --signal=KILL "$unit" ;;
*) systemctl "$verb" "$unit" ;;
esac
for _ in $(seq 100); do
  case $verb-$(show ActiveState) in
  stop-inactive | stop-failed | start-active) done=yes ;;
  kill-*) if kill -0 "$pid" 2>/dev/null; then done=no; else done=yes; fi ;;
  restart-active) if [ "$(show MainPID)" != "$pid" ]; then done=yes; else done=no; fi ;;
  *) done=no ;;
  esac
  if [ "$done" = yes ]; then
    echo "unit $unit was $before and is $(describe)"
    exit 0
  fi
  sleep 0.1
done
echo "unit $unit is $(describe) after $verb" >&2
exit 1
