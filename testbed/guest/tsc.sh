#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the frequency of this machine's time stamp counter in kHz, which tsc.rs measures.
set -euo pipefail
. "${0%/*}/../lib.sh"

source=$TESTBED/guest/tsc.rs
program=$CACHE/tsc
lock "$CACHE/tsc.lock"
[[ $program -nt $source ]] || logged tsc "the build of ${source#"$TOP"/}" rustc -O "$source" -o "$program"
exec "$program"
