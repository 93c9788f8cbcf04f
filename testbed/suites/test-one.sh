#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs one test: the KUnit tests, or a command in the folder of the selftests.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

[[ ${TEST:-} ]] ||
	die "TEST is not set: TEST=kunit, or a selftest with its arguments, such as TEST='mptcp_subflow_info -v tcpinfo' or TEST=diag.sh"
results=$OUT/results-one
begin
if [[ $TEST == kunit ]]; then
	kunit "$KIND"
else
	check_selftests
	# Which features and tools the test needs is its own affair.
	may_skip=(.)
	selftest one "$KIND" "./$TEST"
fi
summary
