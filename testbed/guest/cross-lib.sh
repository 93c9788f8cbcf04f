# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
# Sourced by vm.sh: how a guest of another architecture runs in QEMU, which emulates it. Its root file system
# is this machine's, except for /usr. Its console is standard error; the terminal of the command is standard
# input and output.
set -euo pipefail

[[ $cpus == 1 ]] || die "vm.sh -c $cpus: a guest of another architecture runs with one processor here"
[[ $ACCEL != kvm ]] || die "ACCEL=kvm: a guest of another architecture is emulated"
# The guest has other files there.
[[ $TOP != /usr/* ]] || die "$TOP: a guest of another architecture cannot see it there: move the repository out of /usr"
usr=$("$TESTBED/guest/usr.sh")
what="the $KIND test kernel under tcg"
# No file of the machine changes while the guest runs, so the guest may cache what it reads.
root=trans=virtio,version=9p2000.L,access=any,msize=524288,cache=loose
arguments+=("${CROSS_ARGUMENTS[@]}" panic=-1 ro root=/dev/root rootfstype=9p "rootflags=$root"
	"init=$usr/bin/busybox" "testbed_usr=$usr" testbed_terminal=hvc0 "testbed_top=$TOP" "testbed_writable=$writable"
	-- sh "$TESTBED/guest/inside/init.sh")
share=local,security_model=none,multidevs=remap
machine=("${CROSS_MACHINE[@]}" -accel tcg -m 1G -nodefaults -no-reboot -display none -kernel "$IMAGE"
	-chardev file,id=log,path=/proc/self/fd/2 "${CROSS_CONSOLE[@]}" -chardev stdio,id=terminal,signal=off
	-device "virtio-serial-$CROSS_VIRTIO" -device virtconsole,chardev=terminal
	-fsdev "$share,id=root,path=/,readonly=on" -device "virtio-9p-$CROSS_VIRTIO,fsdev=root,mount_tag=/dev/root")
if [[ $writable ]]; then
	machine+=(-fsdev "$share,id=writable,path=$writable"
		-device "virtio-9p-$CROSS_VIRTIO,fsdev=writable,mount_tag=writable")
fi
read -ra options <<<"$qemu"
machine+=("${options[@]}" -append)

shell=("${machine[@]}" "${arguments[*]}")
runs() {
	run=("${machine[@]}" "${arguments[*]} $1")
	# That of 32-bit arm is the shortest one.
	((${#run[-1]} < 1024)) || die "the paths of this repository and of the cache are too long for the kernel's command line: move one of them"
}
