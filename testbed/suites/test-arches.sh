#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests both implementations on each architecture in arch/, which QEMU emulates. The last line counts the results.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"
one_of FLAVOUR "$FLAVOUR" plain
one_of IMPL "$IMPL" rust

shopt -s nullglob
export REQUESTS=${REQUESTS:-20000}
results=$OUT/results-arches
more=()
for arch in "${crosses[@]}"; do
	rm -rf "$OUT/results-$arch-rust"
	script quick.sh "$arch"
	more+=("$OUT/results-$arch-rust"/*.tap)
done
rm -rf "$results"
mkdir -p "$results"
summary "${more[@]}"
