#!/bin/bash
# build.sh DIR: makes DIR/disk.qcow2, a whole Debian that boots by itself: GRUB, kernel, systemd,
# cloud-init (NoCloud), networkd, sshd, its console on ttyS0.
#
# From this machine's own package sources, by mmdebstrap; nothing is mounted, no loop device is
# used. The finished directory appears in one step, so that two of these may run at once.
set -euo pipefail
out=$1
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
cd "$work"

# This machine's Debian sources, and how its apt is told to reach them.
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016 # apt replaces these.
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Identifier: Packages' 'Origin: Debian' | grep " $codename" | sort -u >sources.list
[ -s sources.list ] || { echo "apt knows no Debian packages: run apt-get update" >&2; exit 1; }
{ apt-config dump | grep -E '^Acquire::(http|https|Check-)' || true; } >apt.conf
echo 'Acquire::Retries "3";' >>apt.conf

packages=linux-image-cloud-amd64,systemd-sysv,dbus,udev,iproute2
packages+=,cloud-init,openssh-server,sudo,e2fsprogs
# The ramdisk holds what finds the root file system on a virtual machine's disk, and no more.
initramfs='mkdir -p "$1/etc/initramfs-tools/conf.d" &&
    echo MODULES=list >"$1/etc/initramfs-tools/conf.d/lab" &&
    printf "%s\n" virtio_pci virtio_blk ext4 >"$1/etc/initramfs-tools/modules"'
mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --aptopt="$work/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='force-confold' \
    --essential-hook="$initramfs" "$codename" root - <sources.list

mkdir -p root/etc/cloud/cloud.cfg.d
cat >root/etc/cloud/cloud.cfg.d/90-lab.cfg <<'CLOUD'
datasource_list: [NoCloud, None]
system_info:
  network:
    renderers: [networkd]
manage_etc_hosts: localhost
# What takes long without KVM, or wants a package that isn't here.
ssh_genkeytypes: [ed25519]
locale: false
grub_dpkg: {enabled: false}
ssh: {emit_keys_to_console: false}
CLOUD
echo '127.0.0.1 localhost' >root/etc/hosts
chroot root systemctl --quiet enable systemd-networkd serial-getty@ttyS0
# No test waits for these.
chroot root systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_reap.service
echo '/dev/vda1 / ext4 errors=remount-ro 0 0' >root/etc/fstab
echo debian >root/etc/hostname
# Each machine makes its own.
rm -f root/etc/ssh/ssh_host_*
: >root/etc/machine-id

# A partition from 1 MiB on.
size_mib=1800
truncate -s "${size_mib}M" disk.raw
mkfs.ext4 -q -m 0 -L root -E offset=1048576 -d root disk.raw "$((size_mib - 1))M"

# GRUB is told all that it needs beforehand. Its boot sector reads the rest of it from the sector
# after it, which is where cat puts it: in the gap before the partition.
cat >grub.cfg <<'GRUB'
linux (hd0,msdos1)/vmlinuz root=/dev/vda1 ro console=ttyS0
initrd (hd0,msdos1)/initrd.img
boot
GRUB
grub-mkimage --format i386-pc --prefix '(hd0,msdos1)/boot/grub' --config grub.cfg --output core.img \
    biosdisk part_msdos ext2 linux boot
head --bytes 440 /usr/lib/grub/i386-pc/boot.img >mbr
truncate -s 446 mbr
le32() { printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
# One active Linux partition, three empty ones, the signature.
# shellcheck disable=SC2059 # The escapes are the point.
printf "\\x80\\xfe\\xff\\xff\\x83\\xfe\\xff\\xff$(le32 2048)$(le32 $(((size_mib - 1) * 2048)))" >>mbr
truncate -s 510 mbr
printf '\x55\xaa' >>mbr
cat mbr core.img | dd of=disk.raw conv=notrunc status=none

mkdir done
qemu-img convert -q -c -o compression_type=zstd -O qcow2 disk.raw done/disk.qcow2
# Whoever was first wins; the two are as good.
mv -T done "$out" 2>/dev/null || [ -f "$out/disk.qcow2" ]
