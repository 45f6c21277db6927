#!/usr/bin/env bash
# Holds the times of a run against two clocks that know nothing of Quorate: Docker's stream of events, and a loop of curl
# that asks the API through the balancer every 50 ms. Prints each difference in milliseconds.
#
# stopwatch.sh QUORATE [OPTION...]: options are those of `quorate run`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

quorate=$1
shift
scratch=$(mktemp -d)
export QUORATE_STATE=$scratch/state
docker events --filter type=container --filter event=die --filter event=start \
  --format '{{.TimeNano}} {{.Action}} {{.Actor.Attributes.name}}' > "$scratch/docker" &
docker=$!
"$quorate" run fixtures/stopwatch.yaml --provider docker "$@" > "$scratch/said" 2>&1 &
run=$!
finish() {
  kill "$docker" 2> /dev/null || true
  # It removes its machines before it ends.
  if kill -INT "$run" 2> /dev/null; then wait "$run" || true; fi
  rm -rf "$scratch"
}
trap finish EXIT

events=''
until [[ -n $events ]] && grep -q '"kind":"span-started".*"title":"hold for' "$events"; do
  kill -0 "$run" || { cat "$scratch/said" >&2; exit 1; }
  events=$(find "$QUORATE_STATE/runs" -name events.jsonl 2> /dev/null | head -n 1 || true)
  sleep 0.2
done
config=${events%/*}/credentials/kubeconfig
url=$(awk '/^ *server:/ { print $2; exit }' "$config")/healthz
while kill -0 "$run" 2> /dev/null; do
  sent=$(date +%s%N)
  answer=$(curl --silent --insecure --max-time 4 --noproxy '*' "$url" || true)
  printf '%s %s %s\n' "$sent" "$(date +%s%N)" "$([[ $answer == ok ]] && echo good || echo bad)" >> "$scratch/curl"
  sleep 0.05
done
wait "$run" || { tail -n 20 "$scratch/said" >&2; exit 1; }

moment() {
  jq -rs 'def ms: capture("(?<s>[^.Z]*)(\\.(?<f>[0-9]+))?Z")
    | (.s + "Z" | fromdate) * 1000 + (((.f // "") + "000")[0:3] | tonumber); '"$1" "$events"
}
# The run's own clock starts at the wall time of its first event.
zero=$(moment '.[0] | (.wall | ms) - .at * 1000')
difference() { awk -v name="$1" -v ours="$2" -v theirs="$3" -v zero="$zero" \
  'BEGIN { printf "%-46s %8.0f ms\n", name, zero + ours * 1000 - theirs / 1e6 }'; }
begun() { moment "[.[] | select(.kind == \"fault\" and .verb == \"$1\")][0] | ((.begun | ms) - $zero) / 1000"; }
drawn() {
  moment "[.[] | select(.kind == \"machine\" and .machine == \"master1\" and .state == \"$1\")][-1]
    | ((.since | ms) - $zero) / 1000"
}
docker_at() { awk -v action="$1" '$2 == action && $3 ~ /-master1$/ { at = $1 } END { print at }' "$scratch/docker"; }
died=$(awk '$2 == "die" && $3 ~ /-master1$/ { print $1; exit }' "$scratch/docker")
difference 'kill master1 begins, after docker says it died' "$(begun kill)" "$died"
difference 'master1 is off, after docker says that it died' "$(drawn stopped)" "$died"
difference 'master1 is on, after docker says that it runs' "$(drawn running)" "$(docker_at start)"

# Outages: from the sending of the first request that failed to the first good answer after it.
# shellcheck disable=SC2016 # the variables are jq's
ours=$(moment '[.[] | select(.kind == "api-sample")] | [range(1; length) as $i | .[$i - 1:$i + 1]] as $pairs
  | [$pairs[] | select(.[0].ok and (.[1].ok | not)) | .[1] | .at - .["latency-ms"] / 1000] as $from
  | [$pairs[] | select((.[0].ok | not) and .[1].ok) | .[1].at] as $to
  | "\($from[0]) \($to[0])"')
theirs=$(awk '$3 == "bad" && !from { from = $1 } $3 == "good" && from && !to { to = $2 } END { print from, to }' "$scratch/curl")
read -r from to <<< "$ours"
read -r their_from their_to <<< "$theirs"
difference 'the API stops answering, after curl says so' "$from" "$their_from"
difference 'the API answers again, after curl says so' "$to" "$their_to"
