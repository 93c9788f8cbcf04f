#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: makes requests and records the results, to compare them with those of
# another kernel.
# usage: requests.sh PROGRAMS FOLDER REQUESTS SEED PART...
# PART is fuzz, faults, states, bpf or stall. A 64-bit and a 32-bit program make the requests, or with
# PART-64 or PART-32 that program alone.
set -euo pipefail
programs=$1 folder=$2 requests=$3 seed=$4

for part in "${@:5}"; do
	echo "testbed: running $part" >/dev/kmsg
	name=${part%-*}
	case $part in
	*-*) bits=("${part#*-}") ;;
	faults) bits=(64) ;;
	*) bits=(64 32) ;;
	esac
	jobs=()
	for b in "${bits[@]}"; do
		[[ $b == 64 ]] && program=$programs/$name || program=$programs/32-bit/$name
		output=$folder/$name-$b
		case $name in
		fuzz)
			"$program" run --seed "$seed" --count $((requests / ${#bits[@]})) --output "$output" &
			jobs+=($!)
			;;
		faults) "$program" pages --output "$folder/faults" >"$folder/faults.tap" ;;
		states | bpf) "$program" >"$output" ;;
		# Lines that begin with # contain times, which differ from run to run.
		stall) "$program" run | grep -v '^#' >"$output" ;;
		esac
	done
	for job in "${jobs[@]}"; do
		wait "$job"
	done
done
