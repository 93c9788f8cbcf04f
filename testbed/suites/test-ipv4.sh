#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the kernel that has no IPv6.
set -euo pipefail
export FLAVOUR=ipv4
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# Those variants of the selftest's that need no IPv6.
variants=(ipv4 ipv4_any ipv4_{1,2,3} tcpinfo{,_1} addrs_1 subflow_addrs full_info)

begin
check_selftests
kunit "$KIND"
suite mptcp_subflow_info "$KIND" "cd $kselftest/net/mptcp && ./mptcp_subflow_info${variants[*]/#/ -v }"
summary
