#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests both implementations as user-mode Linux. The last line counts the results.
set -euo pipefail
export ARCH=um
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

begin
build_once um-c
check "kernel: no warning from the um-c build" no_warning "$LOGS/build-um-c.log"
check_selftests
kunit um-rust
for kind in um-rust um-c; do
	selftest mptcp_subflow_info "$kind" ./mptcp_subflow_info
done
script compare.sh
summary
