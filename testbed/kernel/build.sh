#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the image of the test kernel, starting with whatever is there already.
# usage: build.sh [install|config|menuconfig], which stop after the installation of packages, or the configuration
set -euo pipefail
. "${0%/*}/../lib.sh"

[[ " ${BUILT_KINDS:-} " != *" $KIND "* ]] || exit 0
lock
# Before anything is installed, so that a full disk is reported early.
[[ -d $SRC ]] || need_space "$OUT" 4
[[ -d $OBJ/rust ]] || need_space "$OUT" 2
[[ -x $BINDGEN/bin/bindgen ]] || need_space "$CACHE" 1

"$TESTBED/kernel/install.sh"
[[ ${1:-} != install ]] || exit 0
say "preparing the $KIND test kernel in ${OUT#"$TOP"/} (logs: ${LOGS#"$TOP"/}/)"
# In process groups of their own, so that each can be ended as a whole: if one fails, the other need not
# go on.
set -m
"$TESTBED/kernel/tools.sh" &
tools=$!
{ "$TESTBED/kernel/fetch.sh" && "$TESTBED/kernel/lay.sh"; } &
base=$!
set +m
trap 'kill -- -$tools -$base 2>/dev/null || :' EXIT
wait -n
wait -n
trap - EXIT
# Nearly all objects are the same for both implementations.
seed "$OBJ" "$OUT/${KIND%"$IMPL"}rust"
seed "$OBJ" "$OUT/${KIND%"$IMPL"}c"
# These two flavours differ from the plain one in few files.
[[ $FLAVOUR != inline && $FLAVOUR != ipv4 ]] || seed "$OBJ" "$OUT/${prefix}rust"
"$TESTBED/kernel/config.sh"
[[ ${1:-} != config ]] || exit 0
if [[ ${1:-} == menuconfig ]]; then
	kmake menuconfig
	exit
fi

log=$LOGS/build-$KIND.log
say "building the $KIND test kernel (log: ${log#"$TOP"/})"
show=("$TESTBED/kernel/progress.py")
# The time left can be estimated only for a build from scratch whose steps are known.
if [[ ! -d $OBJ/rust && -f $PATCHES/steps-$ARCH ]]; then
	export CCACHE_STATSLOG=$OUT/ccache-statistics
	show+=("$PATCHES/steps-$ARCH" "$CACHE/steps-$BASE-$KIND" "$CCACHE_STATSLOG")
fi
[[ ${V:-0} != 1 ]] || show=(cat)
kmake -j"$(nproc)" 2>&1 </dev/null | tee "$log" | "${show[@]}" >&2 ||
	die "the kernel does not build: $(first_error "$log") (log: ${log#"$TOP"/})"
say "the image is ${IMAGE#"$TOP"/}"
