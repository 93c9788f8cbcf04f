#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints how QEMU runs the guest: kvm if that works here, else tcg.
set -euo pipefail
. "${0%/*}/../lib.sh"

if [[ $ACCEL != auto ]]; then
	echo "$ACCEL"
	exit
fi

if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
	echo tcg
	exit
fi

# That /dev/kvm can be opened does not mean that it can run a guest. So boot one, with
# the processor model that virtme-ng uses: a boot sector that makes QEMU exit with
# status 3 (mov $1, %al; out %al, $0xf4).
result=$CACHE/accel
key=$(cat /proc/sys/kernel/random/boot_id; qemu-system-x86_64 --version)
if [[ ! -f $result || $(tail -n +2 "$result") != "$key" ]]; then
	say "trying KVM (at most 8 s)"
	sector=$(mktemp)
	trap 'rm -f "$sector"' EXIT
	printf '\xb0\x01\xe6\xf4%0506d\x55\xaa' 0 >"$sector"
	status=0
	# In a subshell, which keeps bash from printing a message when QEMU aborts.
	(timeout --foreground -k 1 8 qemu-system-x86_64 -accel kvm -cpu host -machine pc -nodefaults -display none \
		-device isa-debug-exit,iobase=0xf4 -drive "file=$sector,format=raw,snapshot=on"; exit) </dev/null >/dev/null 2>&1 || status=$?
	[[ $status == 3 ]] && accel=kvm || accel=tcg
	printf '%s\n%s\n' "$accel" "$key" >"$result"
fi
head -n 1 "$result"
