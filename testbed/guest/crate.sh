#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the program that shows the subflows, and says where it is.
set -euo pipefail
. "${0%/*}/../lib.sh"

log=$LOGS/crate.log
crate=$TOP/tools/net/mptcp-subflows
[[ -d $TOP/out/crate ]] || say "building ${crate##*/} (about a minute)"
cargo build --release --locked --manifest-path "$crate/Cargo.toml" --target-dir "$TOP/out/crate" >"$log" 2>&1 ||
	die "${crate#"$TOP"/} does not build: $(grep -m 1 '^error' "$log" || tail -n 1 "$log"); full log: $log"
echo "$TOP/out/crate/release/${crate##*/}"
