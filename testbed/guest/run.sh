#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds and boots the test kernel, and shows the subflows of one MPTCP connection.
set -euo pipefail
. "${0%/*}/../lib.sh"

"$TESTBED/kernel/build.sh"
program=$("$TESTBED/crate/build.sh")
exec "$TESTBED/guest/vm.sh" -n run -d 180 "$TESTBED/guest/inside/demo.sh $program"
