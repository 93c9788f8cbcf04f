#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Steps through a request in C and in Rust, and compares the two by function and by source line.
# usage: profile.sh [--calls] REQUEST
# REQUEST is part of a name in the table of bench.sh, such as 'MPTCP_TCPINFO 1 count only'.
set -euo pipefail
. "${0%/*}/../lib.sh"

[[ $# -gt 0 ]] || die "REQUEST is not set: REQUEST='MPTCP_TCPINFO 1 full elements', or another name in the table of make bench"
request=${*: -1}
lock "$OUT/bench.lock"
"$TESTBED/kernel/build.sh" install
bench=$("$TESTBED/trials/build.sh" --features bench)/bench
for impl in c rust; do
	IMPL=$impl "$TESTBED/kernel/build.sh"
	IMPL=$impl "$TESTBED/bench/icount.sh" -t "$bench" "$OUT/profile-$impl" "$bench measure --mark --only ${request@Q}"
done
exec "$bench" profile "$OUT/profile-c" "$OUT/profile-rust" "$OUT" "${@:1:$#-1}"
