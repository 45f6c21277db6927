#!/usr/bin/env bash
# Asks pods over HTTP from within a pod of this machine: reach.sh OWN-ADDRESS PORT ADDRESS... Prints a line for each
# address: itself, and what went wrong, or nothing more.
set -euo pipefail
own=$1 port=$2
shift 2
# The address is a local one in the pod's own network namespace alone; the machine's may have a route to it.
inside=$(grep -lszP -- "-- ${own//./\\.}\n\s+/32 host LOCAL" /proc/[0-9]*/net/fib_trie | head -n 1 || true)
if [ -z "$inside" ]; then
  echo "no process here has the address $own" >&2
  exit 1
fi
namespace=${inside%/fib_trie}
namespace=${namespace%/net}/ns/net
for address in "$@"; do
  {
    said=$(nsenter --net="$namespace" \
      curl --silent --show-error --fail --noproxy '*' --max-time 2 --output /dev/null "http://$address:$port/" 2>&1) ||
      said=${said:-no answer}
    printf '%s %s\n' "$address" "$said"
  } &
done
wait
