#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: runs a command, then has kmemleak look for leaked memory.
set -euo pipefail
kmemleak=/sys/kernel/debug/kmemleak

"$@"
echo 'testbed: running kmemleak' >/dev/kmsg
# kmemleak ignores memory that was allocated less than five seconds ago.
sleep 6
for _ in 1 2; do
	echo scan >$kmemleak
done
sed 's/^/# /' $kmemleak
[[ ! $(<$kmemleak) ]]
