#!/bin/bash
# build.sh DIR: makes the lab guest in DIR: `kernel`, `ramdisk` and `disk.qcow2`.
#
# Debian's cloud kernel, taken out of its package, and a ramdisk of busybox with the drivers that
# libvirt's devices need. Nothing is installed. The finished directory appears in one step, so
# that two of these may run at once.
set -euo pipefail
out=$1 here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

package=$(apt-cache depends --important linux-image-cloud-amd64 |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*-cloud-amd64\)$/\1/p' | head -n 1)
[ -n "$package" ] || { echo "apt knows no linux-image-cloud-amd64: run apt-get update" >&2; exit 1; }
for attempt in 1 2 3; do
    # Root's apt warns that _apt can't write here; what it fetches is checked all the same.
    apt-get -qq -o APT::Sandbox::User=root download "$package" && break
    [ "$attempt" -lt 3 ] || exit 1
done
dpkg-deb --extract "$package"_*.deb kernel.d
cp kernel.d/boot/vmlinuz-* kernel

# What libvirt gives a guest: disks, networks, balloon, console, power button, and a seed by any of
# the ways there are.
wanted="virtio_pci virtio_blk virtio_net virtio_balloon virtio_console evdev button
    vfat nls_cp437 nls_ascii nls_utf8 nls_iso8859-1 isofs virtio_scsi sr_mod ata_piix"
mkdir -p root/bin root/modules root/www/cgi-bin root/proc root/sys root/dev
version=$(ls kernel.d/lib/modules)
busybox depmod -b "$work/kernel.d" "$version"
# A line of modules.dep reads "MODULE: NEEDED... ", the one to be loaded first last.
for module in $wanted; do
    line=$(grep -E "/$module\.ko:" "kernel.d/lib/modules/$version/modules.dep") || continue # Built in.
    for file in $(tac -s ' ' <<<"${line#*:} ") "${line%%:*}"; do
        name=$(basename "$file" .ko)
        [ -e "root/modules/$name.ko" ] && continue
        cp "kernel.d/lib/modules/$version/$file" root/modules/
        echo "$name" >>root/modules/order
    done
done
cp /bin/busybox root/bin/busybox
for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "root/bin/$applet"
done
install -m 755 "$here/init.sh" root/init
install -m 755 "$here/busy.sh" root/bin/busy
install -m 755 "$here/dhcp.sh" root/bin/dhcp
ln -s /bin/busy root/www/cgi-bin/busy
(cd root && find . | LC_ALL=C sort | cpio --quiet --create --format=newc) | gzip -6 >ramdisk

truncate -s 64M disk.raw
mkfs.ext4 -q -L guest -m 0 disk.raw
qemu-img convert -q -f raw -O qcow2 disk.raw disk.qcow2
echo "console=ttyS0 quiet panic=1" >cmdline

mkdir done
mv kernel ramdisk disk.qcow2 cmdline done/
# Whoever was first wins; the two are the same.
mv -T done "$out" 2>/dev/null || [ -f "$out/disk.qcow2" ]
