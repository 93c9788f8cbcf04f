#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the debug kernel.
set -euo pipefail
export FLAVOUR=debug
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# The tests of mptcp_join.sh that add and remove subflows.
joins=('multiple subflows' 'signal addresses' 'remove single subflow' 'remove subflows and signal' 'flush subflows and signal'
	'single subflow IPv6' 'remove subflow and signal IPv6' 'signal address IPv4-mapped')

# Runs beside the other tests, and takes about as long. Mainline's scripts mostly run one program at a time:
# a second processor would help them less than it would slow down the other tests.
second_half() {
	checks=()
	boots=0
	reports=0
	REQUESTS=20000 script compare.sh
	selftest mptcp_join "$KIND" "./mptcp_join.sh ${joins[*]@Q}" -c 1
	report "$results/second_half.tap" "$reports reports in $boots kernel logs"
}

begin
# User-mode Linux makes requests ten times as fast as QEMU, but not those of 32-bit programs.
REQUESTS=${REQUESTS:-1000000} script quick.sh
trials=$("$TESTBED/trials/build.sh")
check_selftests
kunit "$KIND"
suite faults-injected "$KIND" "$trials/faults inject" -l
# Not beside another guest with two processors, since that takes three times as long.
suite churn "$KIND" "$trials/churn --changes 10000" -l -d 4000
start second_half second_half
selftest mptcp_subflow_info "$KIND" ./mptcp_subflow_info
selftest mptcp_sockopt "$KIND" "./mptcp_sockopt.sh" -c 1
selftest diag "$KIND" "./diag.sh" -c 1
# With a fixed file size and delay, which the script would otherwise choose at random.
selftest mptcp_connect "$KIND" "./mptcp_connect.sh -f 300000 -d 1" -c 1
finish second_half
summary "$OUT"/results-um-debug-rust/*.tap
