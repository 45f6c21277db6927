#!/usr/bin/env bash
# Measures what the observers cost while a cluster idles: runs a scenario that holds, and prints the share of one core
# and the memory of quorate itself during the hold, and how far samples of the API strayed from their 250 ms.
#
# observers-cost.sh QUORATE SCENARIO [OPTION...]: options are those of `quorate run`.
set -euo pipefail

quorate=$1 scenario=$2
shift 2
state=${QUORATE_STATE:-$HOME/.local/state/quorate}
mkdir -p "$state/runs"
runs() { find "$state/runs" -mindepth 1 -maxdepth 1 -printf '%f\n' 2> /dev/null | sort; }
before=$(runs)
"$quorate" run "$scenario" "$@" > /dev/null 2>&1 &
process=$!

ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$process/stat"; }
log() {
  local run
  run=$(comm -13 <(printf '%s\n' "$before") <(runs) | tail -n 1)
  [ -n "$run" ] && printf '%s/runs/%s/events.jsonl' "$state" "$run"
}
holds() {
  local file
  file=$(log) && jq -se 'any(.[]; .kind == "span-started" and (.title | startswith("hold")))' "$file" > /dev/null 2>&1
}

until holds; do
  kill -0 "$process" 2> /dev/null || { echo "the run ended before it held" >&2; exit 1; }
  sleep 1
done
sleep 15 # what the expectation before it asked for has settled
start=$(ticks) from=$(date +%s.%N)
sleep "${OBSERVE_FOR:-120}"
end=$(ticks) to=$(date +%s.%N)
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$process/status")
now=$(awk '/^VmRSS/ { print $2 }' "/proc/$process/status")
awk -v used=$((end - start)) -v hertz="$(getconf CLK_TCK)" -v from="$from" -v to="$to" -v now="$now" -v peak="$peak" \
  'BEGIN { printf "of one core: %.2f %%\nmemory: %.1f MB (at most %.1f MB so far)\n",
    100 * used / hertz / (to - from), now / 1024, peak / 1024 }'
status=0
wait "$process" || status=$?
jq -rs --argjson from "$from" --argjson to "$to" '
  [.[] | select(.kind == "api-sample") | {wall: (.wall | sub("\\.[0-9]+"; "") | fromdate), sent: (.at - .["latency-ms"] / 1000)}
    | select(.wall >= $from and .wall <= $to) | .sent] | sort
  | [range(1; length) as $i | (.[$i] - .[$i - 1] - 0.25) * 1000 | if . < 0 then -. else . end] | sort
  | "jitter of \(length) samples: median \(.[length / 2 | floor] * 10 | round / 10) ms, p99 \(.[length * 0.99 | floor] * 10 | round / 10) ms, largest \(.[-1] * 10 | round / 10) ms"
  ' "$(log)"
echo "exit code of the run: $status"
