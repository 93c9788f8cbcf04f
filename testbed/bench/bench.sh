#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Measures the cost of each request in C and in Rust, and writes the table and the plot.
set -euo pipefail
. "${0%/*}/../lib.sh"

# The last one has the C helpers inlined into the Rust code.
kernels=(c rust inline-rust)
results=$OUT/bench
json=$TOP/out/bench.json
svg=$TOP/out/bench.svg

lock "$OUT/bench.lock"
rm -rf "$results" "$json" "$svg"
for kernel in "${kernels[@]}"; do
	with "$kernel" "$TESTBED/kernel/build.sh"
	mkdir -p "$results/$kernel"
done
bench=$("$TESTBED/trials/build.sh" --features bench)/bench

say "measuring, in $((2 * ${#kernels[@]})) boots of one to two minutes each"
for kernel in "${kernels[@]}"; do
	with "$kernel" "$TESTBED/bench/icount.sh" "$results/$kernel/1" "$bench measure && $bench load"
	with "$kernel" "$TESTBED/bench/icount.sh" -t "$bench" "$results/$kernel/2" "$bench measure && $bench measure --mark --sample"
done

# In turns, so that other load on the machine slows down all kernels alike.
if [[ $("$TESTBED/guest/accel.sh" "$(image "$OUT/rust")") == kvm ]]; then
	for turn in 1 2 3; do
		for kernel in "${kernels[@]}"; do
			with "$kernel" "$TESTBED/guest/vm.sh" -n bench-kvm -d 300 "$bench measure --repeat 300 && $bench load" >"$results/$kernel/kvm-$turn"
		done
	done
fi

"$bench" report "$results" "$OUT" --json "$json" --svg "$svg"
