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
cpus=2
args=()
leaks=''
while getopts n:d:c:q:a:w:i:l opt; do
	case $opt in
	n) name=$OPTARG ;;
	d) deadline=$OPTARG ;;
	c) cpus=$OPTARG ;;
	q) args+=("--qemu-opts=$OPTARG") ;;
	a) args+=(--append "$OPTARG") ;;
	i) IMAGE=$OPTARG ;;
	l) leaks=$TESTBED/guest/inside/leaks.sh ;;
	w) args+=(--rwdir "$(realpath "$OPTARG")") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))

if [[ $FLAVOUR == debug ]]; then
	# kmemleak takes nearly half of the debug kernel's time.
	[[ $leaks ]] || args+=(--append kmemleak=off)
	# While the boot processor's features are detected, an interrupt handler would see a processor without
	# five-level page tables, and KASAN would report a false positive.
	args+=(--append no5lvl)
fi
accel=$("$TESTBED/guest/accel.sh")
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
vng+=("${args[@]}")

if [[ $# == 0 ]]; then
	[[ -t 0 && -t 1 ]] || die "a shell needs a terminal; without one, run a command: make vm CMD='...'"
	say "booting the $KIND test kernel under $accel; to leave it, type exit"
	exec "${vng[@]}" --qemu-opts=-no-reboot --shell "$TESTBED/guest/inside/shell.sh"
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

say "booting the $KIND test kernel under $accel (console: ${console#"$TOP"/})"
# QEMU reopens its standard output and error, which would truncate a plain file, so
# use pipes. With --verbose, vng's standard error is the guest's console.
exec {output}> >(exec cat) && output_cat=$!
exec {errors}> >(exec cat >"$console") && errors_cat=$!
# timeout runs in a process group of its own, and ends QEMU with that group.
timeout -k 5 "$deadline" "${vng[@]}" --verbose --exec "bash $job" </dev/null 1>&"$output" 2>&"$errors" &
guest=$!
trap 'kill $guest 2>/dev/null || :; rm -f "$job"' EXIT
trap 'exit 130' INT TERM
wait $guest && ended=0 || ended=$?
exec {output}>&- {errors}>&-
wait "$output_cat" "$errors_cat"

status=$(sed -n 's/.*testbed: exit status \([0-9]*\)\r*$/\1/p' "$console" | tail -n 1)
if [[ ! $status || $ended == 124 || $ended == 137 ]]; then
	tail -n 25 "$console" >&2
	[[ $ended != 124 && $ended != 137 ]] || die "the guest ran for more than $deadline s; above is the end of ${console#"$TOP"/}"
	die "the guest died; above is the end of ${console#"$TOP"/}"
fi
exit "$status"
