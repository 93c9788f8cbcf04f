#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: writes down what it answers, to be compared with another kernel.
# usage: answers.sh PROGRAMS FOLDER REQUESTS SEED
set -euo pipefail
programs=$1 folder=$2 requests=$3 seed=$4

running() { echo "testbed: running $*" >/dev/kmsg; }

running fuzz, of 64 and 32 bits
fuzz=(run --seed "$seed" --count $((requests / 2)) --output)
"$programs/fuzz" "${fuzz[@]}" "$folder/fuzz-64" &
other=$!
"$programs/32-bit/fuzz" "${fuzz[@]}" "$folder/fuzz-32"
wait $other
running faults
"$programs/faults" pages --output "$folder/faults" >"$folder/faults.tap"
for bits in 64 32; do
	[[ $bits == 64 ]] && of=$programs || of=$programs/32-bit
	running "states, of $bits bits"
	"$of/states" >"$folder/states-$bits"
	running "stall, of $bits bits"
	# Lines that begin with # are of times.
	"$of/stall" run | grep -v '^#' >"$folder/stall-$bits"
done
