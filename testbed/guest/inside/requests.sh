#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: makes all requests and records the results, to compare them with those of
# another kernel.
# usage: requests.sh PROGRAMS FOLDER REQUESTS SEED
set -euo pipefail
programs=$1 folder=$2 requests=$3 seed=$4

running() { echo "testbed: running $*" >/dev/kmsg; }

running 64-bit and 32-bit fuzz
fuzz=(run --seed "$seed" --count $((requests / 2)) --output)
"$programs/fuzz" "${fuzz[@]}" "$folder/fuzz-64" &
other=$!
"$programs/32-bit/fuzz" "${fuzz[@]}" "$folder/fuzz-32"
wait $other
running faults
"$programs/faults" pages --output "$folder/faults" >"$folder/faults.tap"
for bits in 64 32; do
	[[ $bits == 64 ]] && bin=$programs || bin=$programs/32-bit
	running "$bits-bit states"
	"$bin/states" >"$folder/states-$bits"
	running "$bits-bit stall"
	# Lines that begin with # contain times, which differ from run to run.
	"$bin/stall" run | grep -v '^#' >"$folder/stall-$bits"
done
