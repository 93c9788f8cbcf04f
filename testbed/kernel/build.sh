#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the test kernel: from whatever there is to its image.
# usage: build.sh [config|menuconfig], which stop after the configuration
set -euo pipefail
. "${0%/*}/../lib.sh"

[[ " ${BUILT_KINDS:-} " != *" $KIND "* ]] || exit 0
lock

"$TESTBED/kernel/install.sh"
# A group of its own, so that it can be ended as a whole.
set -m
"$TESTBED/kernel/tools.sh" &
tools=$!
set +m
trap 'kill -- -$tools 2>/dev/null || :' EXIT
"$TESTBED/kernel/fetch.sh"
"$TESTBED/kernel/lay.sh"
wait "$tools"
trap - EXIT
# Nearly every object of the other implementation is this one's too.
seed "$OBJ" "$OUT/${KIND%"$IMPL"}rust"
seed "$OBJ" "$OUT/${KIND%"$IMPL"}c"
# The options of these two are each known to a part of the files only.
[[ $FLAVOUR != inline && $FLAVOUR != ipv4 ]] || seed "$OBJ" "$OUT/rust"
"$TESTBED/kernel/config.sh"
[[ ${1:-} != config ]] || exit 0
if [[ ${1:-} == menuconfig ]]; then
	kmake menuconfig
	exit
fi

log=$LOGS/build-$KIND.log
say "building the $KIND test kernel (log: ${log#"$TOP"/})"
# How many steps a build from nothing takes is known from the last one.
steps=$CACHE/steps-$BASE
[[ -f $steps ]] || echo "$BASE_STEPS" >"$steps"
whole=''
[[ -d $OBJ/rust ]] || whole=y
kmake -j"$(nproc)" 2>&1 </dev/null | tee "$log" | "$TESTBED/kernel/progress.sh" "${whole:+$steps}" ||
	die "the kernel does not build: $(grep -m 1 'error\(\[E[0-9]*\]\)\?:\|\*\*\*' "$log" || tail -n 1 "$log")" \
		"(full log: $log)"
[[ ! $whole ]] || grep -c '^  [A-Z]' "$log" >"$steps"
say "the image is ${IMAGE#"$TOP"/}"
