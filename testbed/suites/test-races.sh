#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Looks for data races with KCSAN, during requests and while subflows come and go.
set -euo pipefail
export FLAVOUR=kcsan
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

begin
[[ $IMPL == c ]] || check "subflow_info.o: instrumented for KCSAN" instrumented "$OBJ/net/mptcp/subflow_info.o" __tsan_read
trials=$("$TESTBED/trials/build.sh")
# While KCSAN watches an access, an emulated processor makes few others. So watch more accesses than by
# default, and most of all during the requests, when nothing else runs.
say "making 100,000 requests (about a minute)"
check "fuzz-$KIND: the guest ends with exit status 0" "$TESTBED/guest/vm.sh" -n fuzz -d 3000 -a kcsan.skip_watch=300 \
	"$trials/fuzz run --seed 1 --count 50000 --output /tmp/1 &
	$trials/fuzz run --seed 2 --count 50000 --output /tmp/2 && wait \$!"
quiet "fuzz-$KIND"
suite churn "$KIND" "$trials/churn --changes 10000" -d 4000 -a kcsan.skip_watch=1000
say "$(cat "$LOGS"/console-{fuzz,churn}-"$KIND.log" | grep -c 'BUG: KCSAN') races in all; those that involve no getsockopt call are mainline's own"
summary
