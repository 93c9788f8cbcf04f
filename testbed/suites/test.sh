#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs all tests of the plain kernels. The last line counts the results.
set -euo pipefail
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

begin
more=()
# What needs both processors comes before the background job makes the machine busy.
if [[ $KIND == rust ]]; then
	build_once c
	check "kernel: no warning from the c build" no_warning "$LOGS/build-c.log"
	# User-mode Linux makes requests ten times as fast as QEMU, but not those of 32-bit programs.
	REQUESTS=${REQUESTS:-1000000} script quick.sh
	more=("$OUT"/results-um-rust/*.tap)
fi

start code-check "$TESTBED/suites/code-check.sh"
lock
check_selftests
check "documentation: the example compiles, with gcc and clang" "$TESTBED/suites/example.sh"
unlock
check "crate: the tests build" build_tests crate "${crate[@]}"

selftest mptcp_sockopt "$KIND" "./mptcp_sockopt.sh"
selftest mptcp_subflow_info "$KIND" "./mptcp_subflow_info"
selftest mptcp_subflow_info_32 "$KIND" "$kselftest-32/net/mptcp/mptcp_subflow_info"
suite example "$KIND" "$TESTBED/guest/inside/example.sh $OUT/example"
crate_suite "$KIND"
kunit "$KIND"
if [[ $KIND == rust ]]; then
	kunit c
	# The selftest must pass with the C implementation too.
	selftest mptcp_subflow_info c "./mptcp_subflow_info"
	suite example c "$TESTBED/guest/inside/example.sh $OUT/example"
	crate_suite c
	REQUESTS=20000 script compare.sh
fi
finish code-check
summary "${more[@]}"
