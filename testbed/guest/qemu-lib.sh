# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by vm.sh: how a guest of this machine's architecture runs in QEMU, with virtme-ng.
set -euo pipefail

accel=$("$TESTBED/guest/accel.sh" "$IMAGE")
what="the $KIND test kernel under $accel"
# No file of the machine changes while the guest runs, so the guest may cache what it reads. Without
# the cache, starting a program takes 1.5 times as long.
root=trans=virtio,version=9p2000.L,access=any,msize=524288,cache=loose
# The firmware lists one processor per socket, so each gets a socket of its own.
vng=(vng --run "$IMAGE" --force-9p --user root --cpus "$cpus,sockets=$cpus" --memory 1G
	--append root=/dev/root --append "rootflags=$root" --append panic=-1 --append udev.children_max=1)
# On a busy machine, an emulated timer is too late for the kernel's check at boot, and measuring the frequency
# of the time stamp counter with it can fail. The counter is the machine's own, so pass its frequency: without
# the counter, reading the time is slow.
if [[ $accel != kvm ]]; then
	khz=$("$TESTBED/guest/tsc.sh")
	vng+=(--disable-kvm --append no_timer_check --append tsc=reliable --append "tsc_early_khz=$khz")
fi
for argument in "${arguments[@]}"; do
	vng+=(--append "$argument")
done
[[ ! $writable ]] || vng+=(--rwdir "$writable")
[[ ! $qemu ]] || vng+=("--qemu-opts=$qemu")

shell=("${vng[@]}" --qemu-opts=-no-reboot --shell "$TESTBED/guest/inside/shell.sh")
# With --verbose, vng's standard error is the guest's console.
runs() { run=("${vng[@]}" --verbose --exec "$1"); }
