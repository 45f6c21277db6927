#!/usr/bin/env bash
# Waits until the interface with an address has a carrier, or has none, and prints so: carrier.sh ADDRESS 1|0
set -euo pipefail
address=$1 wanted=$2
interface=$(ip -o -4 address show to "$address" | awk '{ print $2; exit }')
[ -n "$interface" ] || { echo "no interface has the address $address" >&2; exit 1; }
for _ in $(seq 50); do
  carrier=$(cat "/sys/class/net/$interface/carrier")
  if [ "$carrier" = "$wanted" ]; then
    echo "$interface has carrier $carrier"
    exit 0
  fi
  sleep 0.1
done
echo "$interface has carrier $carrier after 5 s" >&2
exit 1
