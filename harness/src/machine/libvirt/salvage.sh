#!/usr/bin/env bash
# Copies a folder from the disk of a domain that is off into a tar file: salvage.sh URI DOMAIN FOLDER TAR
#
# The disk is copied first, with all that lies under it, so that the journal of its file system can be replayed: what was
# synced may be in the journal alone. Only ext4 is read, on the whole disk or on one of its partitions.
set -euo pipefail
uri=$1 domain=$2 folder=$3 to=$4

work=$(mktemp -d "${to%/*}/salvage-XXXXXX")
trap 'rm -rf "$work"' EXIT
disk=$(virsh --connect "$uri" domblklist "$domain" --details | awk '$2 == "disk" { print $4; exit }')
[[ -r $disk ]] || { echo "the disk of $domain cannot be read here: '$disk'" >&2; exit 1; }
qemu-img convert -O raw "$disk" "$work/disk"

# "START SIZE" of each partition, in bytes; none on a disk without a table.
partitions() { sfdisk --json "$1" | jq --raw-output '.partitiontable.partitions[] | "\(.start * 512) \(.size * 512)"'; }

# Fails if the folder is not on the file system.
extract() {
  e2fsck -E journal_only -y "$1" > "$work/e2fsck" 2>&1 || (($? < 4)) || return 1
  debugfs -R "rdump \"$folder\" \"$work/out\"" "$1" > "$work/debugfs" 2>&1
  [[ -e $work/out/${folder##*/} ]]
}

mkdir "$work/out"
found=false
if extract "$work/disk"; then
  found=true
else
  while read -r start size; do
    dd if="$work/disk" of="$work/partition" bs=1M iflag=skip_bytes,count_bytes skip="$start" count="$size" conv=sparse status=none
    if extract "$work/partition"; then
      found=true
      break
    fi
  done < <(partitions "$work/disk")
fi
$found || { echo "$folder is on no ext4 file system of $disk" >&2; cat "$work/e2fsck" "$work/debugfs" >&2; exit 1; }
tar --create --file "$to" --directory "$work/out" "${folder##*/}"
