#!/usr/bin/env bash
# Deletes the data of an etcd member that does not run, and prints what it was.
set -euo pipefail
data=/var/lib/etcd/member
[ -d "$data" ] || { echo "there is no $data to delete" >&2; exit 1; }
size=$(du -sm "$data" | cut -f 1)
rm -rf "$data"
[ ! -e "$data" ] || { echo "$data is still there" >&2; exit 1; }
echo "$data, which took $size MiB, is deleted"
