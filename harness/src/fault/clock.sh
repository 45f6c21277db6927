#!/usr/bin/env bash
# Makes a machine's clock wrong, or right again, and prints what proves it: clock.sh skew MILLISECONDS | right
set -euo pipefail
verb=$1
state=${RUNTIME_DIRECTORY:-/run/quorate}/clock
keepers='chrony chronyd ntp ntpd systemd-timesyncd vboxadd-service qemu-guest-agent'

# What the clock is ahead of the time since boot, which nobody sets, in milliseconds.
ahead() { awk -v now="$(date +%s%3N)" '{ printf "%.0f\n", now - $1 * 1000 }' /proc/uptime; }
shift_clock() { date --set "@$(awk -v now="$(date +%s%3N)" -v by="$1" 'BEGIN { printf "%.3f", (now + by) / 1000 }')" > /dev/null; }
# The clock goes by this much more than it did, to within a second for the commands in between.
check() {
  local off=$(($(ahead) - $2 - $1))
  if [ "${off#-}" -gt 1000 ]; then echo "the clock is off by $off ms from where it should be" >&2; exit 1; fi
}

case $verb in
skew)
  by=$2
  if [ -e "$state" ]; then echo "the clock is wrong already" >&2; exit 1; fi
  stopped=''
  for unit in $keepers; do
    if systemctl is-active --quiet "$unit"; then
      systemctl stop "$unit"
      stopped="$stopped $unit"
    fi
  done
  before=$(ahead)
  mkdir -p "$(dirname "$state")"
  # Whoever is ended in between finds here what to undo.
  echo "$by $((before + by))$stopped" > "$state"
  shift_clock "$by"
  check "$by" "$before"
  echo "$by $(ahead)$stopped" > "$state"
  echo "the clock says $(date --utc --iso-8601=seconds), moved by $by ms; stopped:${stopped:- nothing}"
  ;;
right)
  read -r by was stopped < "$state"
  rm "$state"
  now=$(ahead)
  held=$((now - was))
  if [ "${held#-}" -le 1000 ]; then shift_clock "$((-by))"; fi
  for unit in $stopped; do systemctl start "$unit"; done
  if [ "${held#-}" -gt 1000 ]; then
    echo "the fault did not last: somebody else moved the clock by $held ms" >&2
    exit 1
  fi
  echo "the clock says $(date --utc --iso-8601=seconds), moved back; started: ${stopped:-nothing}"
  ;;
esac
