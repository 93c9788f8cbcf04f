#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests the kernel without IPv6.
set -euo pipefail
export FLAVOUR=ipv4
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

# The variants of the selftest that need no IPv6.
variants=(ipv4 ipv4_any ipv4_{1,2,3} tcpinfo{,_1} addrs_1 subflow_addrs full_info)

begin
check_selftests
kunit "$KIND"
selftest mptcp_subflow_info "$KIND" "./mptcp_subflow_info${variants[*]/#/ -v }"
summary
