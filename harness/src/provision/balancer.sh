#!/usr/bin/env bash
# Starts HAProxy with the configuration that lies at /etc/haproxy/haproxy.cfg: balancer.sh ADDRESS
set -euo pipefail
haproxy -c -f /etc/haproxy/haproxy.cfg
systemctl enable --quiet haproxy
systemctl restart haproxy
for _ in $(seq 50); do
  if ss -Hltn "src $1:6443" | grep -q .; then exit 0; fi
  sleep 0.1
done
echo "nothing listens on $1:6443" >&2
exit 1
