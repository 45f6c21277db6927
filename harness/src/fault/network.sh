#!/usr/bin/env bash
# Loses packets that pass a machine's cable, and prints what proves it:
#   network.sh partition ADDRESS both|in|out PEER...
#   network.sh block ADDRESS both|in|out PORT...
#   network.sh restore ADDRESS partition|block PEER...
# ADDRESS is the machine's own on the private network. Nothing but the interface that has it is touched, so ssh stays.
# Rules are in the table mangle: it sees what is forwarded to and from pods as well, new and established connections
# alike, and before addresses of Services are translated. A peer is its own address and all that is routed through it.
set -euo pipefail
verb=$1 address=$2
state=/run/quorate
# What kube-proxy uses; rules of the other kind would not be seen by it, nor by who looks for them.
tool=$(command -v iptables-legacy || command -v iptables)
interface=$(ip -o -4 address show to "$address" | awk '{ print $2; exit }')
[ -n "$interface" ] || { echo "no interface has the address $address" >&2; exit 1; }

ipt() { "$tool" --wait 10 --table mangle "$@"; }
rules() { ipt -S | grep -e "quorate-$1-" || true; }
lose() { ipt -A "$@" -m comment --comment quorate -j DROP; }
routed() { ip -4 route show | awk -v peer="$1" '$2 == "via" && $3 == peer { print $1 }'; }
answering() {
  local peer
  for peer in "$@"; do
    { ! ping -n -q -c 1 -W 1 "$peer" > /dev/null 2>&1 || echo "$peer"; } &
  done | sort | paste -s -d ' '
}
# A chain is complete before anything is sent through it.
hook() {
  case $1 in
  in) ipt -I PREROUTING -i "$interface" -m comment --comment quorate -j "quorate-$verb-in" ;;
  out) ipt -I POSTROUTING -o "$interface" -m comment --comment quorate -j "quorate-$verb-out" ;;
  esac
}
remove() {
  local chain
  for chain in $(rules "$1" | awk '$1 == "-N" { print $2 }'); do
    ipt -S | awk -v chain="$chain" '$1 == "-A" && $2 != chain && $NF == chain { sub(/^-A/, "-D"); print }' |
      while read -r -a rule; do ipt "${rule[@]}"; done
    ipt -F "$chain"
    ipt -X "$chain"
  done
}
lost() { ipt -L -v -x -n | awk -v chain="quorate-$1-" '/^Chain/ { ours = index($2, chain) == 1 } ours && $3 == "DROP" { sum += $1 } END { print sum + 0 }'; }

inject() {
  local direction=$1 ways='in out' way before after
  shift
  case $direction in in | out) ways=$direction ;; esac
  if [ -n "$(rules "$verb")" ]; then echo "rules of an earlier $verb are there" >&2; exit 1; fi
  if [ "$verb" = partition ]; then before=$(answering "$@"); fi
  for way in $ways; do
    ipt -N "quorate-$verb-$way"
    if [ "$verb" = partition ]; then
      for peer in "$@"; do
        for of in "$peer" $(routed "$peer"); do
          case $way in
          in) lose "quorate-$verb-in" -s "$of" ;;
          out) lose "quorate-$verb-out" -d "$of" ;;
          esac
        done
      done
    else
      for protocol in tcp udp; do
        lose "quorate-$verb-$way" -p "$protocol" -m multiport --dports "$(IFS=, && echo "$*")"
      done
    fi
    hook "$way"
  done
  mkdir -p "$state"
  rules "$verb" > "$state/$verb"
  local count
  count=$(grep -c -e '-j DROP' "$state/$verb")
  for way in $ways; do
    grep -q -e "^-A P.*-j quorate-$verb-$way\$" "$state/$verb" || { echo "the packet filter of $interface has no chain quorate-$verb-$way" >&2; exit 1; }
  done
  if [ "$verb" = partition ]; then
    after=$(answering "$@")
    [ -z "$after" ] || { echo "these still answer: $after" >&2; exit 1; }
    echo "$count rules on $interface; of $* answered before: ${before:-none}, now: none"
  else
    echo "$count rules on $interface lose what goes to TCP and UDP ports $*"
  fi
}

restore() {
  local kind=$1 before after count
  shift
  before=$(rules "$kind") count=$(lost "$kind")
  remove "$kind"
  after=$(rules "$kind")
  [ -z "$after" ] || { echo "these rules cannot be removed: $after" >&2; exit 1; }
  if [ "$before" != "$(cat "$state/$kind" 2> /dev/null)" ]; then
    echo "the fault did not last: the rules of $kind were not there any more as they had been made" >&2
    exit 1
  fi
  rm "$state/$kind"
  echo "the rules of $kind, which lost $count packets, are gone${*:+; of $* answer now: $(answering "$@")}"
}

case $verb in
partition | block) inject "${@:3}" ;;
restore) restore "${@:3}" ;;
esac
