#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots the test kernel on one processor. The guest's clock advances one nanosecond per instruction.
# usage: icount.sh [-t BENCH] FILE COMMAND
# The output of COMMAND goes to FILE. With -t, the program BENCH steps through the
# requests that COMMAND marks, and its output goes to FILE.traces.
set -euo pipefail
. "${0%/*}/../lib.sh"

bench=''
while getopts t: opt; do
	case $opt in
	t) bench=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
file=$1

qemu='-icount shift=0,sleep=off -global virtio-pci.ioeventfd=off'
if [[ $bench ]]; then
	folder=$(mktemp -d)
	"$bench" trace "$folder/gdb" "$OBJ/vmlinux" >"$file.traces" &
	tracer=$!
	trap 'kill $tracer 2>/dev/null || :; rm -rf "$folder"' EXIT
	qemu+=" -chardev socket,path=$folder/gdb,server=on,wait=off,id=gdb -gdb chardev:gdb"
fi

# KVM cannot count instructions. The time stamp counter follows the same clock.
ACCEL=tcg "$TESTBED/guest/vm.sh" -n icount -d 600 -c 1 -q "$qemu" -a tsc_early_khz=1000000 "${@:2}" >"$file" ||
	die "the measurement failed: $(tail -n 1 "$file")"
[[ ! $bench ]] || wait "$tracer" || die "the requests could not be traced (log: ${file#"$TOP"/}.traces)"
