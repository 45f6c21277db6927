#!/usr/bin/env bash
# Makes a machine ready to be switched off: a file that is synced, one in memory that ends with this boot, and a service
# that leaves a mark if it is stopped in order.
set -euo pipefail
folder=/var/lib/quorate-contract
rm -rf "$folder"
mkdir -p "$folder"
echo "$1" > "$folder/kept"
echo "$1" > /run/quorate-contract
systemctl stop quorate-contract.service 2> /dev/null || true
rm -f "$folder/stopped-in-order"
systemd-run --quiet --unit quorate-contract --property Type=oneshot --property RemainAfterExit=yes \
  --property "ExecStop=/bin/sh -c 'touch $folder/stopped-in-order; sync'" true
sync
systemctl is-active quorate-contract.service
