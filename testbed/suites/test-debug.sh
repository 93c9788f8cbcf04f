#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the kernel that has every check which finds defects.
set -euo pipefail
export FLAVOUR=debug REQUESTS=${REQUESTS:-1000000}
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# Of mptcp_join.sh, those tests in which subflows are added and removed.
joins=('multiple subflows' 'signal addresses' 'remove single subflow' 'remove subflows and signal' 'flush subflows and signal'
	'single subflow IPv6' 'remove subflow and signal IPv6' 'signal address IPv4-mapped')
in_guest="cd $kselftest/net/mptcp &&"

# About half of what is left. Mainline's scripts mostly start one program after the other: a second
# processor would take more from what runs beside this than it gives.
second_half() {
	checks=()
	boots=0
	script compare.sh
	suite mptcp_join "$KIND" "$in_guest ./mptcp_join.sh ${joins[*]@Q}" -c 1 -d 1500
	report "$results/second_half.tap" "$reports reports in $boots kernel logs"
}

begin
trials=$("$TESTBED/trials/build.sh")
check_selftests
kunit "$KIND"
suite faults-injected "$KIND" "$trials/faults inject" -l -d 1000
# Alone: beside another guest with two processors, it takes three times as long.
suite churn "$KIND" "$trials/churn --changes 10000 --seconds 1200" -l -d 1500
start second_half second_half
suite mptcp_subflow_info "$KIND" "$in_guest ./mptcp_subflow_info" -d 1000
suite mptcp_sockopt "$KIND" "$in_guest ./mptcp_sockopt.sh" -c 1 -d 1000
suite diag "$KIND" "$in_guest ./diag.sh" -c 1 -d 1000
# Files of one size, and the same delay each time.
suite mptcp_connect "$KIND" "$in_guest ./mptcp_connect.sh -f 300000 -d 1" -c 1 -d 2500
finish second_half
summary
