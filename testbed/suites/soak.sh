#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes many random requests on both kernels, side by side as user-mode Linux, and compares digests of
# the results. A run that was ended continues with the next call.
set -euo pipefail
export ARCH=${ARCH:-um}
. "${0%/*}/../lib.sh"
. "$TESTBED/suites/lib.sh"

block=100000
requests=${REQUESTS:-20000000}
seed=${SEED:-1}
blocks=$(((requests + block - 1) / block))
kernels=(um-c um-rust)
folder=$OUT/soak
results=$OUT/results-soak

# lines KIND: how many blocks a kernel has done.
lines() { wc -l <"$folder/$1"; }

# both: how many blocks both kernels have done.
both() {
	local a b
	a=$(lines um-c)
	b=$(lines um-rust)
	echo $((a < b ? a : b))
}

# same: fails, and prints the seed, if a block of both differs.
same() {
	paste -d ' ' "$folder"/um-{c,rust} | awk 'NF == 4 && $2 != $4 { print $1; bad = 1; exit } END { exit bad }'
}

# soak KIND: makes what is left to do on a kernel.
soak() {
	local first
	first=$(lines "$1")
	((first < blocks)) || return 0
	with "$1" "$TESTBED/guest/vm.sh" -n soak -d $((600 + requests / 100)) -w "$folder" \
		"$trials/fuzz digest --seed $((seed + first)) --blocks $((blocks - first)) --count $block --output $folder/$1"
}

# soak_both: on both kernels at once. Prints a line for each block.
soak_both() {
	local kernel
	for kernel in "${kernels[@]}"; do
		soak "$kernel" 2>"$folder/$kernel.log" &
	done
	wait
}

# progress: shows how far both kernels are, whenever one of them ends a block, until a block differs.
progress() {
	local now left shown=$before
	while read -r _; do
		same >/dev/null || break
		now=$(both)
		((now > shown)) || continue
		shown=$now
		left=$((SECONDS * (blocks - now) / (now - before)))
		say "  $((now * block)) of $requests requests on both kernels, ends at $(date -d "+$left sec" +%H:%M) ($((left / 60 + 1)) min left)"
	done
}

# replay SEED: finds the first request of a block that differs, and makes it alone on both kernels.
replay() {
	local number kernel
	say "the results of seed $1 differ: looking for the request"
	SEED=$1 REQUESTS=$block "$TESTBED/suites/compare.sh" || :
	number=$(grep -om 1 "seed $1, number [0-9]*" "$OUT/results-um-rust/fuzz-um-rust.tap") ||
		die "no request of seed $1 differs when they are made again: its results depend on more than the request"
	for kernel in "${kernels[@]}"; do
		with "$kernel" "$TESTBED/guest/vm.sh" -n replay -d 60 "$trials/fuzz run --seed $1 --only ${number##* }"
	done
}

"$TESTBED/kernel/build.sh" install
trials=$("$TESTBED/trials/build.sh")
for kernel in "${kernels[@]}"; do
	build_once "$kernel"
done
mkdir -p "$folder"
# What was made by other kernels, programs or seeds is no part of this run.
sum=$(cat "$OUT"/um-{c,rust}/linux "$trials/fuzz" <(echo "$seed") | cksum)
if [[ ! -f $folder/from || $(<"$folder/from") != "$sum" ]]; then
	rm -f "$folder"/um-*
	echo "$sum" >"$folder/from"
fi
touch "$folder"/um-{c,rust}

rm -rf "$results"
mkdir "$results"
before=$(both)
say "making $requests requests on both kernels, $((before * block)) of which an earlier run made"
SECONDS=0
apart soak_both
progress <&"$apart"
end_apart
if different=$(same); then
	check "both kernels made all requests" test "$(both)" -ge "$blocks"
	for kernel in "${kernels[@]}"; do
		(($(lines "$kernel") >= blocks)) || tail -n 3 "$folder/$kernel.log"
		quiet "soak-$kernel"
	done
	figure="$(($(both) * block)) requests had the same result"
else
	replay "$different"
	figure="a request of seed $different had a different result"
fi
check "the results of both kernels are the same" test ! "$different"
report "$results/soak.tap" "$figure" "$reports reports in $boots kernel logs"
count "$results/soak.tap"
