#!/usr/bin/env bash
# Waits until every process NAME runs on this machine, and has done so for three seconds: control-plane.sh NAME...
# One that ended while etcd changed may wait for its next start, and the API server still calls it Ready for a while.
set -euo pipefail
end=$((SECONDS + 100))
while [ "$SECONDS" -lt "$end" ]; do
  missing=''
  for name in "$@"; do
    # By what was started: of a process's name the kernel keeps fifteen letters, and others may share them.
    age=$(ps -o etimes= -p "$(pgrep -f "^([^ ]*/)?$name " | head -n 1)" 2>/dev/null || true)
    if [ "${age:-0}" -lt 3 ]; then missing="$missing $name"; fi
  done
  if [ -z "$missing" ]; then exit 0; fi
  sleep 0.2
done
echo "after 100 s these do not run:$missing" >&2
exit 1
