#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs every test that the plain kernels do. Each suite leaves a file of KTAP; the last line
# counts them all.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

begin
# The other test kernel, before the machine is busy.
if [[ $KIND == rust ]]; then
	build_once c
	check "kernel: no warning from the c build" no_warning "$LOGS/build-c.log"
fi

start code-check "$TESTBED/suites/code-check.sh"
lock
check_selftests
check "documentation: the example compiles, with gcc and clang" "$TESTBED/suites/example.sh"
unlock

in_guest="cd $kselftest/net/mptcp &&"
suite mptcp_sockopt "$KIND" "$in_guest ./mptcp_sockopt.sh"
suite mptcp_subflow_info "$KIND" "$in_guest ./mptcp_subflow_info"
suite mptcp_subflow_info_32 "$KIND" "$in_guest $kselftest-32/mptcp_subflow_info"
suite example "$KIND" "$TESTBED/guest/inside/example.sh $OUT/example"
if [[ $KIND == rust ]]; then
	kunit rust
	# The C implementation is the oracle of the selftest.
	suite mptcp_subflow_info c "$in_guest ./mptcp_subflow_info"
	suite example c "$TESTBED/guest/inside/example.sh $OUT/example"
	script compare.sh
fi
finish code-check
summary
