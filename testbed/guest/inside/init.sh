#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The first process of a guest that virtme-ng does not start: sets up its file systems, then runs a command,
# or without one a shell. The machine's root file system is read-only. On another architecture, this
# machine has no program that runs: busybox is the shell, and has the commands.
# usage: init.sh [COMMAND...]
set -eu
export PATH=/usr/bin:/usr/sbin:/bin:/sbin

# vm.sh passes these.
top=${testbed_top:?} terminal=${testbed_terminal:?} usr=${testbed_usr:-} writable=${testbed_writable:-}
[ ! "$usr" ] || "$usr/bin/busybox" mount --bind "$usr" /usr
${usr:+busybox} mount -t proc proc /proc
${usr:+busybox} mount -t tmpfs tmpfs /run
if [ "$usr" ]; then
	busybox mkdir /run/busybox
	busybox --install -s /run/busybox
	PATH=$PATH:/run/busybox
fi
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/tmp
# The repository may be below one of the folders above.
if [ ! -d "$top" ]; then
	mkdir -p /run/root "$top"
	mount --bind / /run/root
	mount --bind "/run/root$top" "$top"
fi
if [ "$writable" ]; then
	mkdir -p "$writable"
	if [ "$usr" ]; then
		mount -t 9p -o trans=virtio writable "$writable"
	else
		mount -t hostfs -o "$writable" hostfs "$writable"
	fi
fi
ip link set lo up

exec <"/dev/$terminal" >"/dev/$terminal"
if [ $# -gt 0 ]; then
	# The output is read by programs.
	stty -opost
	"$@"
else
	# With a controlling terminal, for job control.
	setsid -c "${0%/*}/shell.sh" 2>&1
fi
