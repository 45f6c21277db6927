#!/usr/bin/env bash
# Fills the file system of etcd's data but for some bytes, and prints what proves it: fill-disk.sh fill LEAVE | free
set -euo pipefail
verb=$1 leave=${2:-0}
data=/var/lib/etcd
fill=$data/quorate-fill
free() { df --output=avail --block-size=1 "$data" | tail -n 1 | tr -d ' '; }
# One that started a moment ago may have met the full disk and be about to end.
runs() { [ "$(ps -o etimes= -p "$(pgrep -x etcd | head -n 1)" 2> /dev/null || echo 0)" -ge 60 ]; }

# Whether kubelet asks the API server of this machine, which needs the etcd that it is to start: so it is from Kubernetes 1.33 on.
asks_itself() {
  local server
  server=$(sed -n 's|^ *server: https://\(.*\):[0-9]*$|\1|p' /etc/kubernetes/kubelet.conf 2> /dev/null) || return 1
  [ -n "$server" ] && [ -n "$(ip -o address show to "$server" 2> /dev/null)" ]
}

case $verb in
fill)
  # It would be the host's disk otherwise.
  mountpoint -q "$data" || { echo "$data is no file system of its own, and a larger one is not filled" >&2; exit 1; }
  if [ -e "$fill" ]; then echo "$fill is there already" >&2; exit 1; fi
  size=$(df --output=size --block-size=1M "$data" | tail -n 1 | tr -d ' ')
  before=$(free)
  if [ "$before" -le "$leave" ]; then echo "only $before bytes are free, so nothing is to be filled" >&2; exit 1; fi
  fallocate --length "$((before - leave))" "$fill" 2> /dev/null || true
  # What is left over goes block by block.
  if [ "$leave" = 0 ]; then dd if=/dev/zero of="$fill" bs=4k oflag=append conv=notrunc status=none 2> /dev/null || true; fi
  sync --file-system "$data"
  now=$(free)
  if [ "$now" -gt "$((leave + 1048576))" ]; then echo "$now bytes are free, and not $leave" >&2; exit 1; fi
  told="of $size MiB $before bytes were free and $now are"
  if [ "$leave" = 0 ]; then
    if said=$(LC_ALL=C dd if=/dev/zero of="$data/quorate-probe" bs=64k count=1 conv=fsync status=none 2>&1); then
      rm -f "$data/quorate-probe"
      echo "64 KiB more can be written all the same" >&2
      exit 1
    fi
    rm -f "$data/quorate-probe"
    # The probe's own inode may have freed a block.
    dd if=/dev/zero of="$fill" bs=4k oflag=append conv=notrunc status=none 2> /dev/null || true
    told="$told; one who writes is told: ${said##*: }"
  fi
  echo "$told"
  ;;
free)
  if [ ! -e "$fill" ]; then
    echo "the fault did not last: $fill was not there any more" >&2
    exit 1
  fi
  ran=yes
  runs || ran=no
  rm "$fill"
  sync --file-system "$data"
  told="$(free) bytes are free again"
  if [ "$ran" = no ] && systemctl is-active --quiet kubelet; then
    told="$told; etcd had ended within the last minute"
    # kubelet waits longer and longer before it starts what ended, up to five minutes, and forgets that when it restarts. One that
    # asks this machine's API server takes two minutes to start then.
    if asks_itself; then
      told="$told, and kubelet starts it when it has waited"
    else
      systemctl restart kubelet
      told="$told, and kubelet was restarted so that it starts etcd at once"
    fi
  fi
  echo "$told"
  ;;
esac
