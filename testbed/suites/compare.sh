#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compares a kernel with the C kernel: makes the same requests on both, and checks that the
# results are the same. The requests are those of guest/inside/requests.sh.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"
compare_with "${prefix}c"

requests=${REQUESTS:-100000}
seed=${SEED:-1}
folder=$OUT/requests-$KIND
replay="to repeat request N of a seed, run: make ARCH=$ARCH FLAVOUR=$FLAVOUR vm CMD='out/trials/release/${CROSS:+$ARCH/}fuzz run --seed SEED --only N', then again with IMPL=c"
case $ARCH in
x86_64)
	parts=(fuzz faults states bpf stall)
	sizes=(64 32)
	speed=100000
	;;
um)
	# User-mode Linux has no 32-bit programs, and its copies from user space ignore PROT_NONE. It is built without
	# BPF.
	parts=(fuzz-64 states-64)
	sizes=(64)
	speed=600000
	;;
*)
	# The others have programs of one size, and are built without BPF. Not all of them can write-protect a page
	# for userfaultfd.
	parts=("fuzz-$CROSS_BITS" "faults-$CROSS_BITS" "states-$CROSS_BITS")
	sizes=("$CROSS_BITS")
	speed=60000
	;;
esac

# record KIND: makes the requests on a kernel. Prints the kind and the exit status.
record() {
	local status
	with "$1" "$TESTBED/guest/vm.sh" -n requests -d $((1000 + requests / 100)) -w "$folder/$1" \
		"$TESTBED/guest/inside/requests.sh $programs $folder/$1 $requests $seed ${parts[*]}" \
		>"$folder/$1.log" 2>&1 && status=0 || status=$?
	echo "$1 $status"
}

record_both() {
	local kernel
	for kernel in "$of_c" "$KIND"; do
		record "$kernel" &
		# A guest with virtme-ng has two processors, and any other has one.
		[[ $ARCH != x86_64 ]] || wait
	done
	wait
}

# recorded KIND STATUS
recorded() {
	cat "$folder/$1.log"
	[[ $2 == 0 ]]
}

# compared NAME: compares the files of each size of program.
compared() {
	"$trials/$1" compare "$folder"/{"$of_c","$KIND"} "${sizes[@]/#/--file=$1-}" | tee "$results/$1-$KIND.tap"
}

same_lines() {
	diff -U 2 "$folder/$of_c/$1" "$folder/$KIND/$1"
}

"$TESTBED/kernel/build.sh" install
trials=$("$TESTBED/trials/build.sh")
# Those for the guest.
programs=$trials${CROSS:+/$ARCH}
rm -rf "$folder"
for kernel in "$of_c" "$KIND"; do
	with "$kernel" "$TESTBED/kernel/build.sh"
	mkdir -p "$folder/$kernel"
done
say "making $requests random requests, and requests in every state, on both kernels (about $((4 + 120 * requests / speed)) seconds)"
apart record_both
while read -r kernel status; do
	check "$kernel: requests" recorded "$kernel" "$status"
	quiet "requests-$kernel"
done <&"$apart"
end_apart

[[ ${#checks[@]} == 4 && ${checks[*]} != *'not ok'* ]] || die "the results of a kernel are missing: there is nothing to compare"

mkdir -p "$results"
taps=("$results/compare-$KIND.tap")
for part in "${parts[@]%-*}"; do
	case $part in
	fuzz)
		compared fuzz || say "$replay"
		taps+=("$results/fuzz-$KIND.tap")
		;;
	stall)
		compared stall || :
		taps+=("$results/stall-$KIND.tap")
		;;
	faults)
		cp "$folder/$KIND/faults.tap" "$results/faults-$KIND.tap"
		"$trials/faults" compare "$folder"/{"$of_c","$KIND"} --file faults | tee "$results/faults-compared-$KIND.tap" || :
		taps+=("$results"/faults{,-compared}-"$KIND.tap")
		;;
	states | bpf)
		for size in "${sizes[@]}"; do
			check "$size-bit $part: the same results" same_lines "$part-$size"
		done
		;;
	esac
done
figures=("$(cat "$folder/$KIND"/states-* | wc -l) results in every state compared")
[[ ${parts[*]} != *bpf* ]] || figures+=("$(cat "$folder/$KIND"/bpf-* | wc -l) results with BPF programs compared")
report "$results/compare-$KIND.tap" "${figures[@]}" "$reports reports in $boots kernel logs"
count "${taps[@]}"
