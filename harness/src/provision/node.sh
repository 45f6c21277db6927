#!/usr/bin/env bash
# Makes a machine fit to be a node, and prints its cgroup driver: node.sh ADDRESS
set -euo pipefail
address=$1

# kube-proxy of old doubles its rules where other tools speak nft.
for tool in iptables ip6tables arptables ebtables; do
  if [ -x "/usr/sbin/$tool-legacy" ]; then update-alternatives --set "$tool" "/usr/sbin/$tool-legacy" >/dev/null; fi
done

# A container shares its host's swap and must not turn that off; kubelet is told to put up with it instead.
if [ ! -e /.dockerenv ]; then
  swapoff -a
  sed -i '/\sswap\s/s/^\([^#]\)/#\1/' /etc/fstab
fi

if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
  sysctl -qw net.bridge.bridge-nf-call-iptables=1
fi
sysctl -qw net.ipv4.ip_forward=1

# kubelet and the runtime must agree on who manages cgroups. systemd in a container can do so on cgroup v2 alone.
if [ ! -e /.dockerenv ] || [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
  cgroup_driver=systemd systemd_cgroup=true
else
  cgroup_driver=cgroupfs systemd_cgroup=false
fi
sed -i "s/SystemdCgroup = .*/SystemdCgroup = $systemd_cgroup/" /etc/containerd/config.toml

# Where the world puts network plugins is made where Debian does and the runtime looks. A box may have brought some.
mkdir -p /opt/cni
if [ -d /opt/cni/bin ] && [ ! -L /opt/cni/bin ]; then mv /opt/cni/bin /opt/cni/bin.box; fi
ln -sfn /usr/lib/cni /opt/cni/bin

# Every machine has an interface of its provider's as well, whose address kubelet would take otherwise.
echo "KUBELET_EXTRA_ARGS=--node-ip=$address" >/etc/default/kubelet

systemctl daemon-reload
systemctl enable --quiet pod-traffic
systemctl restart pod-traffic
systemctl enable --quiet kubelet
systemctl enable --quiet --now containerd
systemctl restart containerd
ctr version >/dev/null
echo "$cgroup_driver"
