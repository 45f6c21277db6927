#!/usr/bin/env bash
# Turns the tree that it runs in into a machine: users, services, and what a container must not do to its host.
set -euo pipefail

users() {
  id vagrant > /dev/null 2>&1 || useradd --create-home --shell /bin/bash vagrant
  passwd --lock vagrant > /dev/null
  # A locked password shuts out logins by key as well; this one matches no password.
  usermod --password '*' vagrant
  echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/vagrant
  chmod 440 /etc/sudoers.d/vagrant
  install -d -m 755 /etc/quorate
}

# Devices, kernel settings and consoles are the host's; a machine must leave them alone.
mask() {
  local unit
  for unit in \
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-modules-load.service systemd-sysctl.service systemd-remount-fs.service systemd-random-seed.service \
    systemd-timesyncd.service systemd-resolved.service systemd-networkd.service systemd-networkd.socket \
    systemd-logind.service dbus-org.freedesktop.login1.service systemd-firstboot.service \
    systemd-hwdb-update.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    systemd-binfmt.service systemd-pstore.service \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
    getty.target console-getty.service getty@.service serial-getty@.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer systemd-tmpfiles-clean.timer; do
    ln -sf /dev/null "/etc/systemd/system/$unit"
  done
}

services() {
  systemctl disable --quiet haproxy etcd containerd kubelet nftables rsync 2> /dev/null || true
  systemctl enable --quiet ssh
  systemctl set-default --quiet multi-user.target
  # Without logind a session must not wait for it.
  sed -i 's/^[^#].*pam_systemd\.so/#&/' /etc/pam.d/common-session
  rm -f /etc/ssh/ssh_host_*
  : > /etc/machine-id
  rm -f /var/lib/dbus/machine-id
  install -d -m 2755 -g systemd-journal /var/log/journal
  install -d -m 711 /var/lib/containerd
}

# kube-proxy's image and the machine have to write into the same tables, and the kernel has legacy ones everywhere.
tables() {
  local tool
  for tool in iptables ip6tables; do
    update-alternatives --quiet --set "$tool" "/usr/sbin/$tool-legacy"
  done
}

slim() {
  rm -rf /usr/share/{doc,man,info,locale,lintian,linda}/* /var/log/{dpkg,alternatives,bootstrap}.log /var/log/apt \
    /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig/aux-cache
}

users
mask
services
tables
slim
