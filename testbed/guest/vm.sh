#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots the test kernel on this machine's own root file system.
# usage: vm.sh [-n NAME] [-d SECONDS] [-c CPUS] [-q QEMU-OPTIONS] [-a KERNEL-ARGUMENT]...
#   [-w FOLDER] [-i IMAGE] [-l] [COMMAND]
# Without a command it is a shell. NAME is for the log of the console, SECONDS
# how long the guest may take, boot and all. What the guest writes to FOLDER
# stays, all else is gone with it. With -l, memory is looked for that leaked, which
# only FLAVOUR=debug can. The exit status is the command's.
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
	# Nearly half of such a kernel's time goes there.
	[[ $leaks ]] || args+=(--append kmemleak=off)
	# While the boot processor's features are looked up, an interrupt would find it without five-level
	# page tables, and KASAN take memory for none.
	args+=(--append no5lvl)
fi
accel=$("$TESTBED/guest/accel.sh")
# Nobody changes the machine's files under the guest, so it may keep what it has read: to start a
# program takes half as long again otherwise.
root=trans=virtio,version=9p2000.L,access=any,msize=524288,cache=loose
# The firmware's table of processors has one for each socket.
vng=(vng --run "$IMAGE" --force-9p --user root --cpus "$cpus,sockets=$cpus" --memory 1G
	--append root=/dev/root --append "rootflags=$root" --append panic=-1 --append udev.children_max=1)
# On a busy machine, an emulated timer is not as punctual as the kernel checks at boot. The time stamp
# counter is the machine's own: to measure it by such a timer can fail, and to go by the timer is slow.
if [[ $accel != kvm ]]; then
	khz=$("$TESTBED/guest/tsc.sh")
	vng+=(--disable-kvm --append no_timer_check --append tsc=reliable --append "tsc_early_khz=$khz")
fi
vng+=("${args[@]}")

if [[ $# == 0 ]]; then
	[[ -t 0 && -t 1 ]] || die "a shell needs a terminal; without one, give a command: make vm CMD='...'"
	say "booting the $KIND test kernel under $accel; leave with exit"
	exec "${vng[@]}" --qemu-opts=-no-reboot --shell "$TESTBED/guest/inside/shell.sh"
fi

console=$LOGS/console-$name-$KIND.log
command=$*
# What the guest runs. The line in the kernel's log tells a command that ended
# from a guest that died.
job=$(mktemp -p "$OUT" job.XXXXXX)
trap 'rm -f "$job"' EXIT
cat >"$job" <<-END
	cd $TOP
	if [[ \$(nproc) == $cpus ]]; then
		echo "testbed: running $name" >/dev/kmsg
		$leaks bash -c ${command@Q} 2>&1
		echo "testbed: exit status \$?" >/dev/kmsg
	else
		echo "testbed: there are not $cpus processors" >/dev/kmsg
	fi
	exec "$TESTBED/guest/inside/off.sh"
END

say "booting the $KIND test kernel under $accel (console: ${console#"$TOP"/})"
# QEMU opens these anew, which would empty a plain file: give it pipes. With
# --verbose, the console of the guest is vng's standard error.
exec {output}> >(exec cat) && output_cat=$!
exec {errors}> >(exec cat >"$console") && errors_cat=$!
# timeout has a process group of its own, and ends QEMU with it.
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
	die "the guest died, or took longer than $deadline s; above is the end of ${console#"$TOP"/}"
fi
exit "$status"
