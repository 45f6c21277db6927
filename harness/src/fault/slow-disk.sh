#!/usr/bin/env bash
# Makes etcd's writes slow by the kernel's control groups, and prints what proves it: slow-disk.sh add BYTES_A_SECOND | remove
# The limit is on etcd's container, so a container that kubelet starts anew has none.
set -euo pipefail
verb=$1
data=/var/lib/etcd
state=/run/quorate/slow-disk
pid=$(pgrep -x etcd | head -n 1 || true)

# A limit is a whole disk's; partitions have none of their own.
device=$(findmnt --noheadings --output MAJ:MIN --target "$data" | tr -d ' ')
if [ -e "/sys/dev/block/$device/partition" ]; then device=$(cat "/sys/dev/block/$device/../dev"); fi

if [ -n "$pid" ]; then
  group=$(awk -F : '$2 == "blkio" { print "/sys/fs/cgroup/blkio" $3 }' "/proc/$pid/cgroup")
  if [ -n "$group" ]; then
    file=blkio.throttle.write_bps_device
  else
    group=$(awk -F : '$1 == 0 { print "/sys/fs/cgroup" $3 }' "/proc/$pid/cgroup") file=io.max
  fi
fi
limit() { grep -h "^$device " "$1" 2> /dev/null || true; }
# Writes two seconds' worth in etcd's own group, and prints the bytes a second.
measure() {
  local count=$((2 * $1 / 65536)) from to
  if [ "$count" -lt 2 ]; then count=2; fi
  from=$(date +%s%N)
  GROUP=$group bash -c 'echo $$ > "$GROUP/cgroup.procs" && exec dd if=/dev/zero of="$0" bs=64k count="$1" oflag=dsync status=none' \
    "$data/quorate-probe" "$count"
  to=$(date +%s%N)
  rm "$data/quorate-probe"
  echo $((count * 65536 * 1000 / ((to - from) / 1000000 + 1)))
}

case $verb in
add)
  rate=$2
  [ -n "$pid" ] || { echo "no process etcd runs here" >&2; exit 1; }
  if [ -n "$(limit "$group/$file")" ]; then echo "there is a limit already: $(limit "$group/$file")" >&2; exit 1; fi
  before=$(measure "$rate")
  case $file in
  io.max) echo "$device wbps=$rate" > "$group/$file" ;;
  *) echo "$device $rate" > "$group/$file" ;;
  esac
  mkdir -p "$(dirname "$state")"
  echo "$group/$file" > "$state"
  now=$(measure "$rate")
  if [ "$now" -gt "$((rate * 3 / 2))" ]; then
    echo "$now bytes a second can be written all the same" >&2
    exit 1
  fi
  echo "etcd's disk $device took $before bytes a second and takes $now"
  ;;
remove)
  path=$(cat "$state")
  held=$(limit "$path")
  rm "$state"
  case $path in
  */io.max) [ ! -e "$path" ] || echo "$device wbps=max" > "$path" ;;
  *) [ ! -e "$path" ] || echo "$device 0" > "$path" ;;
  esac
  if [ -z "$held" ]; then
    echo "the fault did not last: etcd's container is another, or has no limit any more" >&2
    exit 1
  fi
  [ -z "$(limit "$path")" ] || { echo "the limit is still there: $(limit "$path")" >&2; exit 1; }
  echo "etcd's disk $device has no limit any more"
  ;;
esac
