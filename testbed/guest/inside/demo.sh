#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: one MPTCP connection between two hosts, over two paths of different delay.
# usage: demo.sh PROGRAM
set -euo pipefail
. "${0%/*}/paths-lib.sh"
program=$1

grep -q ' mptcp_getsockopt_subflow_info$' /proc/kallsyms && impl=Rust || impl=C
echo "Linux $(uname -r), per-subflow options in $impl; two paths, with delays of ${delays[0]} and ${delays[1]} each way"
ip netns exec server "$program" serve --once 0.0.0.0:5000 &
server=$!
ip netns exec client "$program" send 10.0.0.2:5000 --for 5 --expect-subflows "${#delays[@]}"
wait "$server"
