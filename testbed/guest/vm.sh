#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots the test kernel on this machine's own root file system, which the guest cannot change.
# usage: vm.sh [-n NAME] [-d SECONDS] [-c CPUS] [-q QEMU-OPTIONS] [-a KERNEL-ARGUMENT]...
#   [-w FOLDER] [-i IMAGE] [-l] [COMMAND]
# Without a command, starts a shell. NAME is part of the console log's name. SECONDS
# limits how long the guest runs, including its boot. Only what the guest writes to
# FOLDER is kept. With -l, which needs FLAVOUR=debug, kmemleak looks for leaked memory
# after the command. The exit status is the command's.
set -euo pipefail
. "${0%/*}/../lib.sh"

name=vm
deadline=3600
[[ $ARCH == x86_64 ]] && cpus=2 || cpus=1
arguments=()
qemu=''
writable=''
leaks=''
while getopts n:d:c:q:a:w:i:l opt; do
	case $opt in
	n) name=$OPTARG ;;
	d) deadline=$OPTARG ;;
	c) cpus=$OPTARG ;;
	q) qemu=$OPTARG ;;
	a) arguments+=("$OPTARG") ;;
	i) IMAGE=$OPTARG ;;
	l) leaks=$TESTBED/guest/inside/leaks.sh ;;
	w) writable=$(realpath "$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

if [[ $FLAVOUR == debug ]]; then
	# kmemleak takes nearly half of the debug kernel's time.
	[[ $leaks ]] || arguments+=(kmemleak=off)
	# While the boot processor's features are detected, an interrupt handler would see a processor without
	# five-level page tables, and KASAN would report a false positive.
	[[ $ARCH != x86_64 ]] || arguments+=(no5lvl)
fi
# These set what and shell, and define runs COMMAND, which sets run.
case $ARCH in
x86_64) . "$TESTBED/guest/qemu-lib.sh" ;;
um) . "$TESTBED/guest/um-lib.sh" ;;
*) . "$TESTBED/guest/cross-lib.sh" ;;
esac

if [[ $# == 0 ]]; then
	[[ -t 0 && -t 1 ]] || die "a shell needs a terminal; without one, run a command: make vm CMD='...'"
	say "booting $what; to leave it, type exit"
	exec "${shell[@]}"
fi

console=$LOGS/console-$name-$KIND.log
lock "$console.lock"
command=$*
# What the guest runs. The kernel log shows whether the command ended or the guest died.
job=$(mktemp -p "$OUT" job.XXXXXX)
trap 'rm -f "$job"' EXIT
cat >"$job" <<-END
	cd $TOP
	if [[ \$(nproc) == $cpus ]]; then
		echo "testbed: running $name" >/dev/kmsg
		$leaks bash -c ${command@Q} 2>&1
		echo "testbed: exit status \$?" >/dev/kmsg
	else
		echo "testbed: expected $cpus processors, found \$(nproc)" >/dev/kmsg
	fi
	exec "$TESTBED/guest/inside/off.sh"
END
runs "bash $job"

say "booting $what (console: ${console#"$TOP"/})"
: >"$console"
# QEMU reopens its standard output and error, which would truncate a plain file, so use pipes.
exec {output}> >(exec cat) && output_cat=$!
exec {errors}> >(exec cat >"$console") && errors_cat=$!
# timeout runs in a process group of its own, and ends the guest with that group.
timeout -k 5 "$deadline" "${run[@]}" </dev/null 1>&"$output" 2>&"$errors" &
guest=$!
trap 'kill $guest 2>/dev/null || :; rm -f "$job"' EXIT
if [[ ${accel:-} == kvm ]]; then
	# After this error, QEMU neither goes on nor exits.
	(unlock && tail -n +1 -f --pid=$guest "$console" | grep -q 'KVM internal error' && kill $guest) >/dev/null 2>&1 &
fi
trap 'exit 130' INT TERM
wait $guest && ended=0 || ended=$?
exec {output}>&- {errors}>&-
wait "$output_cat" "$errors_cat"

status=$(sed -n 's/.*testbed: exit status \([0-9]*\)\r*$/\1/p' "$console" | tail -n 1)
if [[ ! $status || $ended == 124 || $ended == 137 ]]; then
	tail -n 25 "$console" >&2
	! grep -q 'KVM internal error' "$console" || die "KVM cannot run this guest; run the same with ACCEL=tcg"
	[[ $ended != 124 && $ended != 137 ]] || die "the guest ran for more than $deadline s; above is the end of ${console#"$TOP"/}"
	die "the guest died; above is the end of ${console#"$TOP"/}"
fi
exit "$status"
