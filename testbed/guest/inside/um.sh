#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The first process of a guest that is user-mode Linux: sets up its file systems, then runs a command,
# or without one a shell. The machine's root file system is read-only.
# usage: um.sh [COMMAND...]
set -euo pipefail
export PATH=/usr/bin:/usr/sbin:/bin:/sbin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
for folder in /run /tmp /var/tmp; do
	mount -t tmpfs tmpfs "$folder"
done
# vm.sh passes these. The repository may be below one of the folders above.
top=${testbed_top:?} writable=${testbed_writable:-}
if [[ ! -d $top ]]; then
	mkdir -p "$top"
	mount -t hostfs -o "ro,$top" hostfs "$top"
fi
if [[ $writable ]]; then
	mkdir -p "$writable"
	mount -t hostfs -o "$writable" hostfs "$writable"
fi
ip link set lo up

exec </dev/tty1 >/dev/tty1
if [[ $# -gt 0 ]]; then
	# The output is read by programs.
	stty -opost
	"$@"
else
	# With a controlling terminal, for job control.
	setsid --ctty --wait "${0%/*}/shell.sh" 2>&1
fi
