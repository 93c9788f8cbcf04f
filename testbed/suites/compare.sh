#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Asks the C kernel and another the same, at random and in every state that a
# socket can be in, and compares all that comes of it.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

[[ $KIND != c ]] || die "IMPL=c: there is nothing to compare it with"
requests=${REQUESTS:-100000}
seed=${SEED:-1}
[[ $requests$seed =~ ^[0-9]+$ ]] || die "REQUESTS and SEED are numbers"
answers=$OUT/answers
of_c=$answers/c
of_rust=$answers/$KIND
replay="replay number N of a seed: make FLAVOUR=$FLAVOUR vm CMD='out/trials/release/fuzz run --seed SEED --only N', and so with IMPL=c"

same_lines() {
	diff -U 2 "$of_c/$1" "$of_rust/$1"
}

trials=$("$TESTBED/trials/build.sh")
rm -rf "$answers"
for kernel in c "$KIND"; do
	with "$kernel" "$TESTBED/kernel/build.sh"
	mkdir -p "$answers/$kernel"
	say "asking the $kernel kernel $requests times, and in every state (about $((2 + requests / 100000)) minutes)"
	check "$kernel: answers" with "$kernel" "$TESTBED/guest/vm.sh" -n answers -d $((600 + requests / 100)) -w "$answers/$kernel" \
		"$TESTBED/guest/inside/answers.sh $trials $answers/$kernel $requests $seed"
	quiet "answers-$kernel"
done

[[ ${checks[*]} != *'not ok'* ]] || die "there is nothing to compare"

mkdir -p "$results"
"$trials/fuzz" compare "$of_c" "$of_rust" --file fuzz-64 --file fuzz-32 | tee "$results/fuzz-$KIND.tap" || say "$replay"
cp "$of_rust/faults.tap" "$results/faults-$KIND.tap"
"$trials/faults" compare "$of_c/faults" "$of_rust/faults" | tee "$results/faults-compared-$KIND.tap" || :
"$trials/stall" compare "$of_c" "$of_rust" --file stall-64 --file stall-32 | tee "$results/stall-$KIND.tap" || :
for bits in 64 32; do
	check "states, of $bits bits: the same answers" same_lines "states-$bits"
done
report "$results/compare-$KIND.tap" "$(cat "$of_rust"/states-* | wc -l) answers in every state compared" "$reports reports in $boots kernel logs"
count "$results"/{fuzz,faults,faults-compared,stall,compare}-"$KIND.tap"
