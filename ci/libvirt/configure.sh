#!/bin/bash
# Makes a fresh tree of Debian a machine for Vagrant. Runs inside of it: configure.sh PUBLIC_KEY
set -euo pipefail

useradd --create-home --shell /bin/bash vagrant
install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
echo "$1" > /home/vagrant/.ssh/authorized_keys
chown vagrant:vagrant /home/vagrant/.ssh/authorized_keys
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant

echo '/dev/vda / ext4 defaults 0 1' > /etc/fstab
printf 'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n' > /etc/network/interfaces
printf 'UseDNS no\n' > /etc/ssh/sshd_config.d/quick.conf
echo localhost > /etc/hostname
: > /etc/machine-id

# Emulated, each of these takes seconds of every boot.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer systemd-tmpfiles-clean.timer systemd-pstore.service systemd-timesyncd.service getty@tty1.service \
  serial-getty@ttyS0.service systemd-update-utmp.service systemd-binfmt.service networking-wait-online.service
sed -i 's/^\(session.*pam_systemd\.so\)/#\1/' /etc/pam.d/common-session
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
