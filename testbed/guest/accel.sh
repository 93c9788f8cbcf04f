#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Says whether the guest can run under kvm, or has to under tcg.
set -euo pipefail
. "${0%/*}/../lib.sh"

case ${ACCEL:=auto} in
kvm | tcg)
	echo "$ACCEL"
	exit
	;;
auto) ;;
*) die "ACCEL=$ACCEL: say ACCEL=auto, ACCEL=kvm or ACCEL=tcg" ;;
esac

if [[ ! -r /dev/kvm || ! -w /dev/kvm ]]; then
	echo tcg
	exit
fi

# /dev/kvm may open and still never run a guest, so boot one, on the processor
# that virtme-ng would give it: a boot sector that makes QEMU end with status 3
# (mov $1, %al; out %al, $0xf4).
answer=$CACHE/accel
key=$(cat /proc/sys/kernel/random/boot_id; qemu-system-x86_64 --version)
if [[ ! -f $answer || $(tail -n +2 "$answer") != "$key" ]]; then
	say "trying KVM (at most 8 s)"
	sector=$(mktemp)
	trap 'rm -f "$sector"' EXIT
	printf '\xb0\x01\xe6\xf4%0506d\x55\xaa' 0 >"$sector"
	status=0
	# In a shell of its own, since bash has a word to say when QEMU aborts.
	(timeout -k 1 8 qemu-system-x86_64 -accel kvm -cpu host -machine pc -nodefaults -display none \
		-device isa-debug-exit,iobase=0xf4 -drive "file=$sector,format=raw,snapshot=on"; exit) </dev/null >/dev/null 2>&1 || status=$?
	[[ $status == 3 ]] && accel=kvm || accel=tcg
	printf '%s\n%s\n' "$accel" "$key" >"$answer"
fi
head -n 1 "$answer"
