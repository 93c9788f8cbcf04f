#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds mptcp-subflows, and prints the path of the program.
set -euo pipefail
. "${0%/*}/../lib.sh"

lock "$TOP/out/crate.lock"
[[ -d $TOP/out/crate ]] || say "building mptcp-subflows (about a minute)"
cargo_build crate "$TOP/tools/net/mptcp-subflows"
echo "$TOP/out/crate/release/mptcp-subflows"
