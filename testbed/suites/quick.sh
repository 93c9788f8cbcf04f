#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests both implementations as user-mode Linux, or on another architecture; of the flavours other than plain,
# only the Rust kernel. The last line counts the results.
# usage: quick.sh [ARCH]
set -euo pipefail
export ARCH=${1:-um}
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"
compare_with "${prefix}c"

# The programs need no kernel. Building them keeps the second processor busy while bindgen, and then the Rust code
# of the kernel, use only one.
"$TESTBED/kernel/build.sh" install
start programs "$TESTBED/trials/build.sh"
begin
check_selftests
build_once "$of_c"
check "kernel: no warning from the $of_c build" no_warning "$LOGS/build-$of_c.log"
finish programs
for kind in "$KIND" "$of_c"; do
	kunit "$kind"
	selftest mptcp_subflow_info "$kind" ./mptcp_subflow_info
done
script compare.sh
summary
