#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests both implementations as user-mode Linux, or on another architecture; of the flavours other than plain,
# only the Rust kernel. The last line counts the results.
# usage: quick.sh [ARCH]
set -euo pipefail
export ARCH=${1:-um}
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# The programs need no kernel. Building them keeps the second processor busy while bindgen, and then the Rust code
# of the kernel, use only one.
"$TESTBED/kernel/install.sh"
start programs "$TESTBED/trials/build.sh"
"$TESTBED/kernel/build.sh" config
begin
check_selftests
build_once "$ARCH-c"
check "kernel: no warning from the $ARCH-c build" no_warning "$LOGS/build-$ARCH-c.log"
finish programs
kunit "$KIND"
for kind in "$KIND" "$ARCH-c"; do
	selftest mptcp_subflow_info "$kind" ./mptcp_subflow_info
done
script compare.sh
summary
