#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the kernel that has every check which finds defects.
set -euo pipefail
export FLAVOUR=debug REQUESTS=${REQUESTS:-1000000}
. "${0%/*}/lib.sh"
. "$TESTBED/suites.sh"

"$TESTBED/build.sh"
rm -rf "$results"
mkdir "$results"
check "kernel: no warning from the $KIND build" no_warning "$LOGS/build-$KIND.log"
trials=$("$TESTBED/trials.sh")
say "building the selftests"
check "selftests: build without a warning" selftests
start compare

# in_guest NAME SECONDS COMMAND
in_guest() {
	suite "$1" "$KIND" "cd $kselftest/net/mptcp && $TESTBED/guest/leaks.sh $3" -d "$2"
}

# Of mptcp_join.sh, those tests in which subflows are added and removed.
joins=('multiple subflows' 'signal addresses' 'remove single subflow' 'remove subflows and signal' 'flush subflows and signal'
	'single subflow IPv6' 'remove subflow and signal IPv6' 'signal address IPv4-mapped')

kunit "$KIND"
in_guest mptcp_subflow_info 1000 ./mptcp_subflow_info
in_guest faults-injected 1000 "$trials/faults inject"
in_guest churn 1500 "$trials/churn --changes 10000 --seconds 1200"
in_guest mptcp_sockopt 1000 ./mptcp_sockopt.sh
in_guest diag 1000 ./diag.sh
# Files of one size, and the same delay each time.
in_guest mptcp_connect 2500 './mptcp_connect.sh -f 300000 -d 1'
in_guest mptcp_join 1500 "./mptcp_join.sh ${joins[*]@Q}"
finish compare
summary
