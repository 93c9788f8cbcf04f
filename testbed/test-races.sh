#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Looks for data races, by KCSAN, while subflows come and go.
set -euo pipefail
export FLAVOUR=kcsan
. "${0%/*}/lib.sh"
. "$TESTBED/suites.sh"

tells_kcsan() {
	llvm-nm -u "$1" | grep __tsan_read
}

begin
[[ $IMPL == c ]] || check "subflow_info.o: tells KCSAN what it reads" tells_kcsan "$OBJ/net/mptcp/subflow_info.o"
trials=$("$TESTBED/trials.sh")
# An emulated processor makes few accesses in the time that one is watched: watch four times as many.
suite churn "$KIND" "$trials/churn --changes 10000 --seconds 1200" -d 1500 -a kcsan.skip_watch=1000
say "$(grep -c 'BUG: KCSAN' "$LOGS/console-churn-$KIND.log") races in all; those without a request for an option are mainline's own"
summary
