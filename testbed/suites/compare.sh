#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compares a kernel with the C kernel: makes the same requests on both, and checks that the
# results are the same. The requests are those of guest/inside/requests.sh.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

[[ $KIND != c ]] || die "IMPL=c: the C kernel cannot be compared with itself"
requests=${REQUESTS:-100000}
seed=${SEED:-1}
folder=$OUT/requests
of_c=$folder/c
of_rust=$folder/$KIND
replay="to repeat request N of a seed, run: make FLAVOUR=$FLAVOUR vm CMD='out/trials/release/fuzz run --seed SEED --only N', then again with IMPL=c"

same_lines() {
	diff -U 2 "$of_c/$1" "$of_rust/$1"
}

trials=$("$TESTBED/trials/build.sh")
rm -rf "$folder"
for kernel in c "$KIND"; do
	with "$kernel" "$TESTBED/kernel/build.sh"
	mkdir -p "$folder/$kernel"
	say "making $requests random requests, and requests in every state, on the $kernel kernel (about $((2 + requests / 100000)) minutes)"
	check "$kernel: requests" with "$kernel" "$TESTBED/guest/vm.sh" -n requests -d $((600 + requests / 100)) -w "$folder/$kernel" \
		"$TESTBED/guest/inside/requests.sh $trials $folder/$kernel $requests $seed"
	quiet "requests-$kernel"
done

[[ ${checks[*]} != *'not ok'* ]] || die "the results of a kernel are missing: there is nothing to compare"

mkdir -p "$results"
"$trials/fuzz" compare "$of_c" "$of_rust" --file fuzz-64 --file fuzz-32 | tee "$results/fuzz-$KIND.tap" || say "$replay"
cp "$of_rust/faults.tap" "$results/faults-$KIND.tap"
"$trials/faults" compare "$of_c" "$of_rust" --file faults | tee "$results/faults-compared-$KIND.tap" || :
"$trials/stall" compare "$of_c" "$of_rust" --file stall-64 --file stall-32 | tee "$results/stall-$KIND.tap" || :
for bits in 64 32; do
	check "$bits-bit states: the same results" same_lines "states-$bits"
done
report "$results/compare-$KIND.tap" "$(cat "$of_rust"/states-* | wc -l) results in every state compared" "$reports reports in $boots kernel logs"
count "$results"/{fuzz,faults,faults-compared,stall,compare}-"$KIND.tap"
