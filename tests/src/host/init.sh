#!/bin/bash
# Process 1 of a lab host: a machine of its own as far as libvirt can tell.
#
#   unshare --mount --net --uts --pid --fork --kill-child --mount-proc -- bash init.sh DIR NAME
#
# It ends when its standard input does, which is when whoever started it is gone, however it went;
# the kernel then ends everything else in the namespaces: libvirtd, dnsmasq, QEMU.
# (bash, not sh: as process 1 it has to reap the QEMUs that libvirtd leaves to it.)
set -euo pipefail
dir=$1 name=$2

hostname "$name"
# The mounted one shows the network devices of the namespace it was mounted from.
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
for path in etc/libvirt var/lib/libvirt run/libvirt var/log/libvirt var/cache/libvirt; do
    mkdir -p "/$path" "$dir/$path"
    mount --bind "$dir/$path" "/$path"
done
# libvirtd locks a serial port by a file that holds its process's number. Another host's libvirtd
# may have the same one: its lock, even one that it left behind when it was killed, would hold here.
mount -t tmpfs -o mode=1777 lock /var/lock
# Where KVM does not truly work, this host has none: libvirtd probes QEMU again at each call while
# /dev/kvm can be opened and yet QEMU can't use it. A node can only be hidden with its directory.
if [ -e /dev/kvm ] && ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
    mkdir -p "$dir/dev"
    mount -t tmpfs -o mode=755 dev "$dir/dev"
    mkdir "$dir/dev/net" "$dir/dev/pts" "$dir/dev/shm"
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx "$dir/dev/"
    cp -a /dev/net/tun "$dir/dev/net/"
    mount --bind /dev/pts "$dir/dev/pts"
    mount --bind /dev/shm "$dir/dev/shm"
    ln -s /proc/self/fd "$dir/dev/fd"
    mount --rbind "$dir/dev" /dev
fi

# libvirtd looks its own name up, and would wait out the resolver's time for it.
printf '127.0.0.1 localhost %s\n' "$name" >"$dir/hosts"
mount --bind "$dir/hosts" /etc/hosts
ip link set lo up

# Forwarding is what libvirt's NAT network wants; it is this namespace's own switch.
sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || true

touch "$dir/prepared"
while read -r _; do :; done
