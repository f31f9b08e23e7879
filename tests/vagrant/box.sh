#!/bin/sh
# Builds a Debian 12 box for libvirt without downloading a box: tests/vagrant/box.sh FILE.box (as root, about three minutes).
# Needs debootstrap, extlinux, qemu-utils, fdisk, vagrant. The packages come from where this machine's own apt has
# Debian 12 from, or from MIRROR.
set -eu
[ $# = 1 ] || { echo "it takes the file to write, such as .cache/vagrant/bookworm.box" >&2; exit 2; }
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Identifier: Packages' | head -n 1)}
[ -n "$mirror" ] || { echo "apt of this machine knows no Debian 12: name a mirror of it, MIRROR=URL" >&2; exit 2; }
box=$(realpath -m "$1")
PATH="$PATH:/usr/sbin:/sbin"
mkdir -p "$(dirname "$box")"
work=$(mktemp -d)
root=$work/root disk=$work/box.raw

clean() {
    for place in "$work/disk" "$root/proc" "$root/sys"; do ! mountpoint -q "$place" || umount "$place"; done
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

step() { echo "box: $1 ($(date +%T))"; }

step "debootstrap"
debootstrap --variant=minbase \
    --include=linux-image-cloud-amd64,systemd,systemd-sysv,udev,dbus,openssh-server,python3,sudo,iproute2,ifupdown,isc-dhcp-client,procps,kmod \
    bookworm "$root" "$mirror" >"$box.log" 2>&1 || { tail -5 "$box.log" >&2; exit 1; }
rm -f "$root"/var/cache/apt/archives/*.deb

step "the user, the network, the first start"
echo c10k >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 c10k\n' >"$root/etc/hosts"
chroot "$root" useradd -m -s /bin/bash vagrant
echo vagrant:vagrant | chroot "$root" chpasswd
install -d -m 700 "$root/home/vagrant/.ssh"
install -m 600 "$(dpkg -L vagrant | grep 'keys/vagrant\.pub$')" "$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" chown -R vagrant:vagrant /home/vagrant/.ssh
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
chmod 440 "$root/etc/sudoers.d/vagrant"
printf 'UseDNS no\nPasswordAuthentication no\nHostKey /etc/ssh/ssh_host_ed25519_key\n' >"$root/etc/ssh/sshd_config.d/10-vagrant.conf"
printf 'auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n' >"$root/etc/network/interfaces"
echo 'LABEL=root / ext4 defaults,noatime 0 1' >"$root/etc/fstab"
: >"$root/etc/machine-id"
# Every machine makes a host key of its own, and one only: three take 18 s under emulation.
rm -f "$root"/etc/ssh/ssh_host_*
cat >"$root/etc/systemd/system/host-key.service" <<'UNIT'
[Unit]
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl enable -q host-key.service
chroot "$root" systemctl mask -q e2scrub_reap.service e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer fstrim.timer

step "the initial ramdisk"
echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/vm"
printf 'virtio_pci\nvirtio_blk\next4\n' >>"$root/etc/initramfs-tools/modules"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
chroot "$root" update-initramfs -u >>"$box.log" 2>&1
umount "$root/proc" "$root/sys"

step "the disk"
kernel=$(basename "$root"/boot/vmlinuz-*)
kernel=${kernel#vmlinuz-}
mkdir -p "$root/boot/extlinux"
cat >"$root/boot/extlinux/extlinux.conf" <<BOOT
DEFAULT linux
LABEL linux
KERNEL /boot/vmlinuz-$kernel
INITRD /boot/initrd.img-$kernel
APPEND root=LABEL=root ro quiet net.ifnames=0 biosdevname=0 console=tty0 console=ttyS0,115200 mitigations=off
BOOT
truncate -s 4G "$disk"
echo '2048,,L,*' | sfdisk -q "$disk"
mke2fs -q -t ext4 -O '^64bit,^metadata_csum' -L root -d "$root" -E offset=1048576 "$disk" $((4 * 1024 * 1024 - 1024))k
mkdir "$work/disk"
mount -o loop,offset=1048576 "$disk" "$work/disk"
extlinux --install "$work/disk/boot/extlinux" >>"$box.log" 2>&1
umount "$work/disk"
dd if=/usr/lib/EXTLINUX/mbr.bin of="$disk" bs=440 count=1 conv=notrunc status=none

step "the box"
qemu-img convert -O qcow2 "$disk" "$work/box.img"
echo '{"provider": "libvirt", "format": "qcow2", "virtual_size": 4}' >"$work/metadata.json"
echo 'Vagrant.configure("2") { |config| config.vm.provider(:libvirt) { |domain| domain.disk_bus = "virtio" } }' >"$work/Vagrantfile"
tar -I 'gzip -1' -C "$work" -cf "$box.new" metadata.json Vagrantfile box.img
mv "$box.new" "$box"
step "$box, $(du -h "$box" | cut -f1)"
