#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: runs a command, then looks for memory that nothing points to.
set -euo pipefail
kmemleak=/sys/kernel/debug/kmemleak

"$@"
echo 'testbed: running kmemleak' >/dev/kmsg
# What is younger than five seconds does not count yet.
sleep 6
for _ in 1 2; do
	echo scan >$kmemleak
done
sed 's/^/# /' $kmemleak
[[ ! $(<$kmemleak) ]]
