#!/bin/sh
# The lab guest's first process: a machine that boots in seconds and does what the stories need.
#
# - prints "OPSHAWK GUEST READY boot=N" on its console; N counts the boots of this disk
# - runs user data that begins with "#!", as cloud-init would, from a NoCloud seed
# - takes an address by DHCP, prints it, and serves http://ADDRESS/cgi-bin/busy?on|off
# - follows the ACPI power button
# - runs a shell on its serial port, once it is up
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /run /disk /seed

for module in $(cat /modules/order); do
    insmod "/modules/$module.ko" 2>/dev/null
done

off() {
    echo "OPSHAWK GUEST OFF"
    umount /disk 2>/dev/null
    sync
    poweroff -f
}
for event in /dev/input/event*; do
    [ -e "$event" ] && { dd if="$event" of=/dev/null bs=24 count=1 2>/dev/null && off; } &
done

# The driver finds its disks a moment after it is loaded.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ "$(cat /sys/block/vda/size 2>/dev/null || echo 0)" -gt 0 ] && break
    sleep 0.1
done
boot=1
if mount -t ext4 /dev/vda /disk 2>/dev/null; then
    boot=$(($(cat /disk/boots 2>/dev/null || echo 0) + 1))
    echo "$boot" >/disk/boots
    sync
fi

hostname=guest
for device in /dev/sr* /dev/vd[b-z] /dev/sd*; do
    [ -b "$device" ] || continue
    mount -t iso9660 -o ro "$device" /seed 2>/dev/null ||
        mount -t vfat -o ro "$device" /seed 2>/dev/null || continue
    [ -f /seed/user-data ] && break
    umount /seed
done
name=$(sed -n 's/^local-hostname: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /seed/meta-data 2>/dev/null)
hostname "${name:-$hostname}"

echo "OPSHAWK GUEST READY boot=$boot name=$(hostname) kernel=$(uname -r)"

if [ "$(head -c 2 /seed/user-data 2>/dev/null)" = "#!" ]; then
    cp /seed/user-data /run/user-data
    chmod 755 /run/user-data
    (cd / && /run/user-data; echo "OPSHAWK GUEST USER-DATA exit=$?") &
fi

ip link set lo up
for nic in /sys/class/net/eth*; do
    [ -e "$nic" ] || continue
    nic=${nic##*/}
    ip link set "$nic" up
    udhcpc -i "$nic" -b -t 60 -T 1 -s /bin/dhcp >/dev/null 2>&1 &
    httpd -p 80 -h /www
done

# Never return: the kernel panics when its first process does. In the foreground, or the shell and
# all that it runs would ignore Ctrl-C.
while :; do
    PS1="guest# " setsid -c sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
    sleep 1
done
