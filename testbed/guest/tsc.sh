#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the frequency of this machine's time stamp counter, in kHz. tsc.rs measures it.
set -euo pipefail
. "${0%/*}/../lib.sh"

source=$TESTBED/guest/tsc.rs
program=$CACHE/tsc
log=$LOGS/tsc.log
exec {lock}>"$CACHE/tsc.lock"
flock "$lock"
[[ $program -nt $source ]] || rustc -O "$source" -o "$program" >"$log" 2>&1 ||
	die "rustc cannot build tsc: $(grep -m 1 '^error' "$log" || tail -n 1 "$log"); full log: $log"
exec "$program"
