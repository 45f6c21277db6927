#!/usr/bin/env bash
# Makes what a machine sends to the private network slower, and prints what proves it:
#   slow.sh add ADDRESS RATE_IN_BITS|- DELAY_IN_MS|- LOSS_IN_PERCENT|- PEER...
#   slow.sh remove ADDRESS
# A rate alone is kept by the kernel's token bucket; delay and loss need its netem.
set -euo pipefail
verb=$1 address=$2
state=/run/quorate/slow
interface=$(ip -o -4 address show to "$address" | awk '{ print $2; exit }')
[ -n "$interface" ] || { echo "no interface has the address $address" >&2; exit 1; }

shaped() { tc qdisc show dev "$interface" | awk '/ root / && ($2 == "tbf" || $2 == "netem")'; }
# Sends as much as goes to the first peer that answers, for a second, and says how much that was and how long it took.
measure() {
  local peer before after times
  for peer in "$@"; do
    times=$(ping -n -q -c 3 -i 0.2 -W 2 "$peer" | awk -F / '/^rtt/ { print $5 }' || true)
    [ -n "$times" ] || continue
    before=$(cat "/sys/class/net/$interface/statistics/tx_bytes")
    ping -n -q -f -l 60 -s 1400 -w 1 "$peer" > /dev/null 2>&1 || true
    after=$(cat "/sys/class/net/$interface/statistics/tx_bytes")
    echo "$(((after - before) * 8 / 1000)) $times $peer"
    return
  done
  echo "nobody answers on the private network, so nothing can be measured" >&2
  return 1
}

case $verb in
add)
  rate=$3 delay=$4 loss=$5
  shift 5
  if [ -n "$(shaped)" ]; then echo "$interface is shaped already: $(shaped)" >&2; exit 1; fi
  before=$(measure "$@")
  read -r kbits_before time_before _ <<< "$before"
  if [ "$delay$loss" = -- ]; then
    # A hundredth of a second of traffic at once, and no less than a few packets.
    burst=$((rate / 800))
    if [ "$burst" -lt 16384 ]; then burst=16384; fi
    tc qdisc add dev "$interface" root tbf rate "${rate}bit" burst "${burst}b" latency 400ms
  else
    options=()
    if [ "$delay" != - ]; then options+=(delay "${delay}ms"); fi
    if [ "$loss" != - ]; then options+=(loss "$loss%"); fi
    if [ "$rate" != - ]; then options+=(rate "${rate}bit"); fi
    tc qdisc add dev "$interface" root netem "${options[@]}"
  fi
  mkdir -p "$(dirname "$state")"
  shaped > "$state"
  [ -s "$state" ] || { echo "$interface is not shaped" >&2; exit 1; }
  if ! after=$(measure "$@"); then
    if [ "$loss" != 100 ]; then exit 1; fi
    echo "$(cat "$state"): nobody answers any more"
    exit
  fi
  read -r kbits time peer <<< "$after"
  # Half as much again, and half a megabit, are for what was sent beside it and for the burst.
  if [ "$rate" != - ] && [ "$((kbits * 1000))" -gt "$((rate * 3 / 2 + 524288))" ]; then
    echo "$interface sent $kbits kbit in a second, which is more than $rate bit" >&2
    exit 1
  fi
  if [ "$delay" != - ] && [ "${time%.*}" -lt "$((delay * 9 / 10))" ]; then
    echo "an answer of $peer took $time ms, which is less than $delay ms" >&2
    exit 1
  fi
  echo "$(cat "$state"): $kbits kbit in a second ($kbits_before before), an answer of $peer takes $time ms ($time_before before)"
  ;;
remove)
  now=$(shaped)
  if [ -n "$now" ]; then tc qdisc del dev "$interface" root; fi
  [ -z "$(shaped)" ] || { echo "$interface is still shaped: $(shaped)" >&2; exit 1; }
  if [ "$now" != "$(cat "$state" 2> /dev/null)" ]; then
    echo "the fault did not last: $interface was not shaped any more as it had been" >&2
    exit 1
  fi
  rm "$state"
  echo "$interface is shaped no longer"
  ;;
esac
