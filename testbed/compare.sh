#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compares what the C and the Rust kernel do in every way that trials/ knows.
set -euo pipefail
. "${0%/*}/lib.sh"
. "$TESTBED/check.sh"

say "comparing the C and the Rust kernel (about ten minutes)"
check "the same answers to random requests" "$TESTBED/fuzz.sh"
check "the same answers in every state of a socket" "$TESTBED/alike.sh" states
check "the same answers in every state, 32-bit program" "$TESTBED/alike.sh" 32-bit/states
check "the same waits for memory that is slow to come" "$TESTBED/alike.sh" stall
check "the same waits for such memory, 32-bit program" "$TESTBED/alike.sh" 32-bit/stall
trials=$("$TESTBED/trials.sh")
for impl in c rust; do
	check "$impl: consistent answers while subflows come and go" env IMPL=$impl "$TESTBED/vm.sh" -n churn -d 500 \
		"$trials/churn --changes 2000 --seconds 120"
done

mkdir -p "$OUT/results"
report "$OUT/results/compare.tap"
"$TESTBED/count.py" "$SRC/tools/testing/kunit" "$OUT/results/compare.tap"
