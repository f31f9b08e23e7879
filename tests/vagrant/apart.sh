#!/bin/sh
# Runs a command where libvirt has a network, processes and directories of its own: apart.sh DIRECTORY COMMAND [WORD …] (as root)
# Whatever it starts or changes (daemons, bridges, the firewall, ip_forward, volumes) is gone when the command ends, or is killed.
set -eu
[ $# -ge 2 ] || { echo "it takes a directory and a command" >&2; exit 2; }
place=$1
shift
mkdir -p "$place/lib" "$place/log" "$place/cache"
cp -a /etc/libvirt "$place/etc"
export place
exec setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --propagation private sh -euc '
mount -t proc proc /proc
umount -R /sys # with its cgroups, in which libvirt would leave directories
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock
for name in lib log cache; do mount --bind "$place/$name" "/var/$name/libvirt"; done
mount --bind "$place/etc" /etc/libvirt
PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up
virtlogd -d
libvirtd -d
"$@"' apart "$@"
