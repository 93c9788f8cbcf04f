#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Asks the C and the Rust kernel the same, and compares the answers.
# usage: fuzz.sh [REQUESTS [SEED]]
set -euo pipefail
. "${0%/*}/lib.sh"

requests=${1:-100000}
seed=${2:-1}
answers=$OUT/fuzz-$FLAVOUR
trials=$("$TESTBED/trials.sh")
rm -rf "$answers"
mkdir -p "$answers"/{c,rust}

say "asking each kernel $requests times, with seed $seed"
status=0
for impl in c rust; do
	run="fuzz run --seed $seed --count $((requests / 2)) --output $answers/$impl"
	IMPL=$impl "$TESTBED/build.sh"
	IMPL=$impl "$TESTBED/vm.sh" -n fuzz -d $((300 + requests / 100)) -w "$answers/$impl" \
		"$trials/$run/64-bit && $trials/32-bit/$run/32-bit" >&2 || status=1
done
"$trials/fuzz" compare "$answers"/{c,rust} --file 64-bit --file 32-bit || status=1
exit $status
