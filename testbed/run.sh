#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds, boots, and watches the subflows of one MPTCP connection.
set -euo pipefail
. "${0%/*}/lib.sh"

"$TESTBED/build.sh"
program=$("$TESTBED/crate.sh")
exec "$TESTBED/vm.sh" -n run -d 180 "$TESTBED/guest/demo.sh $program"
