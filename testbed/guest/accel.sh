#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# usage: accel.sh IMAGE
# Prints how QEMU runs the guest: kvm if that works here, else tcg.
set -euo pipefail
. "${0%/*}/../lib.sh"
image=$1

if [[ $ACCEL != auto ]]; then
	echo "$ACCEL"
	exit
fi

if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
	echo tcg
	exit
fi

# That /dev/kvm can be opened does not mean that it can run a guest, and some can run a boot sector, but not a kernel. So
# boot the kernel, with the processor model that virtme-ng uses, to where it looks for a program to start.
result=$CACHE/accel
key=$(cat /proc/sys/kernel/random/boot_id; qemu-system-x86_64 --version; cksum <"$0")
if [[ ! -f $result || $(tail -n +2 "$result") != "$key" ]]; then
	say "trying KVM (at most 30 s)"
	# In a subshell, which keeps bash from printing a message when QEMU aborts.
	output=$(timeout --foreground -k 1 30 qemu-system-x86_64 -accel kvm -cpu host -smp 2 -m 1G -nodefaults -display none \
		-no-reboot -serial stdio -kernel "$image" -append 'console=ttyS0 panic=-1' </dev/null 2>&1 | tr -d '\0') || :
	[[ $output == *'No working init found'* || $output == *'Unable to mount root fs'* ]] && accel=kvm || accel=tcg
	printf '%s\n%s\n' "$accel" "$key" >"$result.$$"
	mv "$result.$$" "$result"
fi
head -n 1 "$result"
